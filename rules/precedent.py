"""Precedents of a case: others that people have decided and that are like it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from models.score import BASE, OTHER
from rules.decision import Decision
from rules.review_case import Case, EndedBy, ReviewVerdict

LEAST_ALIKE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Precedent:
    """A case that was decided, and in what it is like another one."""

    decision: Decision
    verdict: ReviewVerdict  # the last one that was given
    same_card: bool
    same_merchant: bool
    alike: float  # how far the model had the same reasons, from -1 to 1

    @property
    def likeness(self) -> float:
        """The same card counts as much as all reasons of the model, the same merchant half as much."""
        return self.same_card + 0.5 * self.same_merchant + max(self.alike, 0.0)


def alike(one: Decision, other: Decision) -> float:
    """The cosine between what moved the two scores, from -1 to 1; 0 where nothing is known of one of them."""
    mine, theirs = _moved(one), _moved(other)
    lengths = _length(mine.values()) * _length(theirs.values())
    return sum(log_odds * theirs.get(name, 0.0) for name, log_odds in mine.items()) / lengths if lengths else 0.0


def chief_reason(decision: Decision) -> str | None:
    """The feature that raised the score most; None where none did."""
    raising = [(log_odds, name) for name, log_odds in _moved(decision).items() if log_odds > 0]
    return max(raising)[1] if raising else None


def precedents(decision: Decision, closed: Iterable[tuple[Case, Decision]], most: int) -> list[Precedent]:
    """Those that are most like it, of cases that a verdict closed; of equal likeness the latest first."""
    found = [each for case, other in closed if (each := _precedent(decision, case, other)) is not None]
    found.sort(key=lambda each: (each.likeness, each.verdict.at), reverse=True)
    return found[:most]


def _precedent(decision: Decision, case: Case, other: Decision) -> Precedent | None:
    if case.ending is None or case.ending.by is not EndedBy.VERDICT or other.decision_id == decision.decision_id:
        return None
    found = Precedent(
        decision=other,
        verdict=case.verdicts[-1],
        same_card=other.pan_token == decision.pan_token,
        same_merchant=other.merchant_id == decision.merchant_id,
        alike=alike(decision, other),
    )
    return found if found.same_card or found.same_merchant or found.alike >= LEAST_ALIKE else None


def _moved(decision: Decision) -> dict[str, float]:
    return {each.feature: each.log_odds for each in decision.contributions if each.feature not in (BASE, OTHER)}


def _length(values: Iterable[float]) -> float:
    return sqrt(sum(each * each for each in values))
