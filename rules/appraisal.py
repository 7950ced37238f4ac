"""An appraisal: how good scores and decisions were, week by week, by what payments turned out to be. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.curves import Bin, Thresholds, histogram, reliability
from models.daily import SECONDS_PER_DAY
from models.evaluation import TEST_DAYS, Anything, Quality, handbook_test_rows, quality
from rules.decision import Outcome
from rules.policy import CostPolicy
from rules.worth import Conduct, Money, conduct, money, money_curve, outcomes

FALSE_POSITIVE_RATE = 0.01
WARM_UP_DAYS = 35  # four weeks of labels that come a week late, before the first week that is tested


class Protocol(StrEnum):
    """Which payments of a tested week count."""

    HANDBOOK = "handbook"  # not those of cards that are known to be defrauded by then
    PREQUENTIAL = "prequential"  # all


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Payments in order of time, a column each: what was said and done, and what they were.

    `seconds` count from midnight of day 0; `probability` is NaN where no model answered. Rows of before the tested
    weeks say which cards were known to be defrauded.
    """

    seconds: NDArray[np.float64]
    card: NDArray[Any]
    is_fraud: NDArray[np.bool_]
    probability: NDArray[np.float64]
    amount_minor: NDArray[np.int64]
    currency: NDArray[Any]
    outcome: NDArray[Any]  # of Outcome, by its value

    def rescored(self, probability: NDArray[np.float64], policy: CostPolicy) -> "Judged":
        """The same payments as another model sees them, decided by the policy."""
        return replace(self, probability=probability, outcome=decided(probability, self.amount_minor, policy))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The measures on a week, or on all of them; `quality` and recall are of the payments that were scored."""

    first_day: int
    days: int
    unscored: int
    quality: Quality
    false_positive_rate: float
    recall_at_rate: float
    conduct: Conduct
    money: Mapping[str, Money]  # by currency

    def plain(self) -> dict[str, Any]:
        """Builtins, flat but for the money."""
        return {
            "first_day": self.first_day,
            "days": self.days,
            "unscored": self.unscored,
            **asdict(self.quality),
            "false_positive_rate": self.false_positive_rate,
            "recall_at_rate": self.recall_at_rate,
            **asdict(self.conduct),
            "money": {currency: _plain_money(each) for currency, each in self.money.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """What is drawn of all tested weeks."""

    roc: Sequence[tuple[float, float]]  # false-positive rate, recall
    precision_recall: Sequence[tuple[float, float]]  # recall, precision
    reliability: Sequence[Bin]
    score_edges: Sequence[float]
    scores_of_frauds: Sequence[int]
    scores_of_others: Sequence[int]
    money_currency: str  # most payments are in it
    money: Sequence[tuple[float, int]]  # block from a score on, and what that would have cost, minor units


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """All of it."""

    protocol: Protocol
    whole: Stretch
    weeks: Sequence[Stretch]
    curves: Curves

    def plain(self) -> dict[str, Any]:
        """Builtins; the measures of all weeks together at the top."""
        return {
            "protocol": self.protocol.value,
            **self.whole.plain(),
            "weeks": [week.plain() for week in self.weeks],
            "curves": asdict(self.curves),
        }


class NothingToAppraise(Exception):
    """No whole week of payments that were scored or decided, with what they were; the message says what is missing."""


def decided(probability: NDArray[np.float64], amount_minor: NDArray[np.int64], policy: CostPolicy) -> NDArray[Any]:
    """The policy's outcome for each score, by its value; empty text where there is none."""
    made = np.full(probability.size, "", dtype="U7")
    scored = ~np.isnan(probability)
    made[scored] = [each.value for each in outcomes(probability[scored], amount_minor[scored], policy)]
    return made


def weeks_to_test(seconds: Anything, *, first_day: int | None) -> list[int]:
    """First days of all whole weeks from `first_day` on; without it, counted back from the end to the warm-up's.

    Raises NothingToAppraise where there is none.
    """
    day = np.asarray(seconds) // SECONDS_PER_DAY
    begin, end = (int(day[0]), int(day[-1]) + 1) if day.size else (0, 0)
    if first_day is None:
        weeks = sorted(range(end - TEST_DAYS, begin + WARM_UP_DAYS - 1, -TEST_DAYS))
    else:
        weeks = list(range(first_day, end - TEST_DAYS + 1, TEST_DAYS))
    if not weeks:
        asked = f"from day {first_day} on" if first_day is not None else f"after {WARM_UP_DAYS} days of learning"
        raise NothingToAppraise(f"there is no whole week {asked}: there are days {begin} to {end - 1}")
    return weeks


def weeks_of_all(seconds: Anything) -> list[int]:
    """First days of weeks back from the last payment that have them all; the first may begin before there were any."""
    day = np.asarray(seconds) // SECONDS_PER_DAY
    return sorted(range(int(day[-1]) + 1 - TEST_DAYS, int(day[0]) - TEST_DAYS, -TEST_DAYS))


def appraise(
    judged: Judged,
    weeks: Sequence[int],
    policy: CostPolicy,
    *,
    protocol: Protocol = Protocol.HANDBOOK,
    false_positive_rate: float = FALSE_POSITIVE_RATE,
    k: int = 100,
) -> Appraisal:
    """Measure the weeks that begin on these days, each for itself and together. Raises NothingToAppraise."""
    chosen = [_rows(judged, first_day, protocol) for first_day in weeks]
    every = np.logical_or.reduce(chosen)
    if not every.any():
        raise NothingToAppraise("no payment of the tested weeks counts")
    each = [
        _stretch(judged, rows, first_day, TEST_DAYS, policy, false_positive_rate, k)
        for rows, first_day in zip(chosen, weeks, strict=True)
        if rows.any()
    ]
    whole = _stretch(judged, every, weeks[0], weeks[-1] + TEST_DAYS - weeks[0], policy, false_positive_rate, k)
    # A card found in one week is looked at again in the next: each is a test of its own.
    precision = float(np.mean([week.quality.card_precision for week in each]))
    whole = replace(whole, quality=replace(whole.quality, card_precision=precision))
    return Appraisal(protocol=protocol, whole=whole, weeks=each, curves=_curves(judged, every, policy))


def _rows(judged: Judged, first_day: int, protocol: Protocol) -> NDArray[np.bool_]:
    if protocol is Protocol.HANDBOOK:
        rows = handbook_test_rows(judged.seconds, judged.card, judged.is_fraud, first_day=first_day)
    else:
        day = judged.seconds // SECONDS_PER_DAY
        rows = (day >= first_day) & (day < first_day + TEST_DAYS)
    counted: NDArray[np.bool_] = rows & (judged.outcome != "")
    return counted


def _stretch(
    judged: Judged, rows: NDArray[np.bool_], first_day: int, days: int, policy: CostPolicy, rate: float, k: int
) -> Stretch:
    scored = rows & ~np.isnan(judged.probability)
    fraud, told = judged.is_fraud[scored], judged.probability[scored]
    return Stretch(
        first_day=first_day,
        days=days,
        unscored=int(rows.sum() - scored.sum()),
        quality=quality(judged.seconds[scored], judged.card[scored], fraud, told, k=k),
        false_positive_rate=rate,
        recall_at_rate=Thresholds.of(fraud, told).recall_at(rate),
        conduct=conduct(_outcomes(judged, rows), judged.is_fraud[rows]),
        money={currency: money(*_of(judged, of), policy) for currency, of in _by_currency(judged, rows)},
    )


def _curves(judged: Judged, rows: NDArray[np.bool_], policy: CostPolicy) -> Curves:
    scored = rows & ~np.isnan(judged.probability)
    fraud, told = judged.is_fraud[scored], judged.probability[scored]
    thresholds = Thresholds.of(fraud, told)
    edges, frauds, others = histogram(fraud, told)
    currency, of = max(_by_currency(judged, rows), key=lambda each: int(each[1].sum()))
    of = of & scored
    return Curves(
        roc=thresholds.roc(),
        precision_recall=thresholds.precision_recall(),
        reliability=reliability(fraud, told),
        score_edges=edges,
        scores_of_frauds=frauds,
        scores_of_others=others,
        money_currency=currency,
        money=money_curve(judged.is_fraud[of], judged.probability[of], judged.amount_minor[of], policy),
    )


def _by_currency(judged: Judged, rows: NDArray[np.bool_]) -> list[tuple[str, NDArray[np.bool_]]]:
    return [(str(each), rows & (judged.currency == each)) for each in np.unique(judged.currency[rows])]


def _of(judged: Judged, rows: NDArray[np.bool_]) -> tuple[list[Outcome], Anything, Anything]:
    return _outcomes(judged, rows), judged.is_fraud[rows], judged.amount_minor[rows]


def _outcomes(judged: Judged, rows: NDArray[np.bool_]) -> list[Outcome]:
    return [Outcome(each) for each in judged.outcome[rows].tolist()]


def _plain_money(of: Money) -> dict[str, Any]:
    return asdict(of) | {
        "saved_minor": of.saved_minor,
        "best_constant": of.best_constant.value,
        "saved_on_constant_minor": of.saved_on_constant_minor,
    }
