"""How well reviewers agree, and whether one decides otherwise than the others do with cases alike. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt

from rules.decision import Outcome

RISK_BANDS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # cases between two of these count as alike
COMPARED = timedelta(days=90)  # verdicts of so long are told of
DRIFTING = 3.0  # standard errors: one reviewer in 370 who decides as the others is taken for another
_NORMAL_975 = 1.959964  # two-sided, 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVerdict:
    """One reviewer's verdict on one case, and the risk that the model saw in it; None where it saw none."""

    case_id: str
    reviewer: str
    outcome: Outcome
    risk: float | None
    at: datetime
    blind: bool = False  # a second look, by somebody who did not know of the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Kappa:
    """Agreement beyond chance: 1 is perfect, 0 what chance would bring; with the bounds of a 95 % interval."""

    pairs: int
    observed: float  # share of pairs that agree
    kappa: float
    low: float
    high: float


def cohens_kappa(pairs: Sequence[tuple[Outcome, Outcome]]) -> Kappa | None:
    """Kappa of pairs of verdicts, (first, second); None where chance alone would agree on all, or there are no pairs.

    Cohen (1960), "A coefficient of agreement for nominal scales"; the interval by the large-sample standard error of
    Fleiss, Cohen and Everitt (1969), equation 13. Of few pairs that all agree it is too narrow.
    """
    if not pairs:
        return None
    share = {each: count / len(pairs) for each, count in Counter(pairs).items()}
    words = {word for pair in share for word in pair}
    first = {word: sum(part for (one, _), part in share.items() if one == word) for word in words}
    second = {word: sum(part for (_, other), part in share.items() if other == word) for word in words}
    observed = sum(share.get((word, word), 0.0) for word in words)
    by_chance = sum(first[word] * second[word] for word in words)
    if (room := 1.0 - by_chance) < 1e-9:
        return None
    kappa = (observed - by_chance) / room
    spread = sum(
        part * (room - (first[one] + second[one]) * (1.0 - observed)) ** 2
        if one == other
        else part * ((1.0 - observed) * (second[one] + first[other])) ** 2
        for (one, other), part in share.items()
    )
    variance = (spread - (observed * by_chance - 2.0 * by_chance + observed) ** 2) / (len(pairs) * room**4)
    margin = _NORMAL_975 * sqrt(max(0.0, variance))
    return Kappa(
        pairs=len(pairs), observed=observed, kappa=kappa, low=max(-1.0, kappa - margin), high=min(1.0, kappa + margin)
    )


def looked_at_twice(verdicts: Iterable[KnownVerdict]) -> list[tuple[KnownVerdict, KnownVerdict]]:
    """First verdicts with the blind ones on the same case."""
    first: dict[str, KnownVerdict] = {}
    second: dict[str, KnownVerdict] = {}
    for each in verdicts:
        (second if each.blind else first)[each.case_id] = each
    return [(first[case_id], each) for case_id, each in second.items() if case_id in first]


def agreement(verdicts: Iterable[KnownVerdict], reviewer: str | None = None) -> Kappa | None:
    """Kappa of all who looked at cases twice, or of one reviewer against whoever else looked."""
    pairs = looked_at_twice(verdicts)
    if reviewer is None:
        return cohens_kappa([(one.outcome, other.outcome) for one, other in pairs])
    own = [(one, other) if one.reviewer == reviewer else (other, one) for one, other in pairs]
    return cohens_kappa([(one.outcome, other.outcome) for one, other in own if one.reviewer == reviewer])


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How a reviewer decided in a week, against the others in that week with cases of alike risk."""

    reviewer: str
    week: date  # its Monday
    verdicts: int
    blocked_more: float  # share of their verdicts beyond what the others would have blocked; negative: fewer
    deviations: float | None  # the same in standard errors; None where there is nothing to compare with

    @property
    def is_drifting(self) -> bool:
        """Whether that is more than chance."""
        return self.deviations is not None and abs(self.deviations) >= DRIFTING


def drifts(verdicts: Iterable[KnownVerdict]) -> list[Drift]:
    """Of each reviewer and each week with verdicts of their own accord, in order of time.

    Within bands of risk, so that whoever is dealt the riskier cases is not taken for severe: Mantel and Haenszel
    (1959), "Statistical aspects of the analysis of data from retrospective studies of disease", without correction.
    """
    weeks: dict[date, list[KnownVerdict]] = defaultdict(list)
    for each in verdicts:
        if not each.blind:
            weeks[each.at.date() - timedelta(days=each.at.weekday())].append(each)
    return [
        _drift(reviewer, week, weeks[week])
        for week in sorted(weeks)
        for reviewer in sorted({each.reviewer for each in weeks[week]})
    ]


def _drift(reviewer: str, week: date, verdicts: Sequence[KnownVerdict]) -> Drift:
    bands: dict[int, list[KnownVerdict]] = defaultdict(list)
    for each in verdicts:
        bands[_band(each.risk)].append(each)
    count, excess, variance = 0, 0.0, 0.0
    for alike in bands.values():
        own = [each for each in alike if each.reviewer == reviewer]
        everybody, blocked = len(alike), sum(each.outcome is Outcome.BLOCK for each in alike)
        count += len(own)
        if not own or everybody == len(own):
            continue  # nobody to compare with
        excess += sum(each.outcome is Outcome.BLOCK for each in own) - len(own) * blocked / everybody
        others = everybody - len(own)
        variance += len(own) * others * blocked * (everybody - blocked) / (everybody**2 * (everybody - 1))
    return Drift(
        reviewer=reviewer,
        week=week,
        verdicts=count,
        blocked_more=excess / count if count else 0.0,
        deviations=excess / sqrt(variance) if variance > 0 else None,
    )


def _band(risk: float | None) -> int:
    return -1 if risk is None else sum(risk >= edge for edge in RISK_BANDS)
