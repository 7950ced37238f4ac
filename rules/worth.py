"""What decisions were worth, by what payments turned out to be: money, errors of automatic outcomes, reviewers' load.

Rows are payments: `outcome` (n,) of `Outcome`, `is_fraud` (n,) and `amount_minor` (n,) of one currency. A reviewer is
taken to be right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation import Anything
from rules.decision import Outcome
from rules.policy import CostPolicy, judge

POINTS = 101  # thresholds of a money curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What it cost, in minor units of one currency, by the cost policy; and what doing the same to all would have."""

    cost_minor: int
    approve_all_minor: int
    block_all_minor: int
    review_all_minor: int

    @property
    def best_constant(self) -> Outcome:
        """What would have been cheapest to do to all."""
        return min(_CONSTANTS, key=lambda each: int(getattr(self, f"{each}_all_minor")))

    @property
    def saved_minor(self) -> int:
        """Against approving everything."""
        return self.approve_all_minor - self.cost_minor

    @property
    def saved_on_constant_minor(self) -> int:
        """Against the cheapest of approving, blocking and reviewing everything."""
        return int(getattr(self, f"{self.best_constant}_all_minor")) - self.cost_minor

    def __add__(self, other: "Money") -> "Money":
        return Money(
            cost_minor=self.cost_minor + other.cost_minor,
            approve_all_minor=self.approve_all_minor + other.approve_all_minor,
            block_all_minor=self.block_all_minor + other.block_all_minor,
            review_all_minor=self.review_all_minor + other.review_all_minor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """What was done, and how often it was wrong; shares are NaN of nothing.

    Stopped is what was blocked or shown to a person: precision and recall are those of stopping fraud at the operating
    point, and `block_*` those of blocking alone.
    """

    approved: int
    blocked: int
    reviewed: int
    reviewed_share: float
    approve_error: float  # fraud among what was approved
    block_error: float  # good payments among what was blocked
    precision: float
    recall: float
    block_precision: float
    block_recall: float


_CONSTANTS = (Outcome.APPROVE, Outcome.BLOCK, Outcome.REVIEW)


def outcomes(probability: Anything, amount_minor: Anything, policy: CostPolicy) -> list[Outcome]:
    """What the policy makes of each score."""
    rows = zip(np.asarray(probability).tolist(), np.asarray(amount_minor).tolist(), strict=True)
    return [judge(told, amount, policy).outcome for told, amount in rows]


def conduct(outcome: Sequence[Outcome], is_fraud: Anything) -> Conduct:
    """How rightly it was decided."""
    fraud, made = np.asarray(is_fraud, dtype=bool), _Made.of(outcome)
    stopped = made.blocked | made.reviewed
    return Conduct(
        approved=int(made.approved.sum()),
        blocked=int(made.blocked.sum()),
        reviewed=int(made.reviewed.sum()),
        reviewed_share=_share(made.reviewed.sum(), fraud.size),
        approve_error=_share((made.approved & fraud).sum(), made.approved.sum()),
        block_error=_share((made.blocked & ~fraud).sum(), made.blocked.sum()),
        precision=_share((stopped & fraud).sum(), stopped.sum()),
        recall=_share((stopped & fraud).sum(), fraud.sum()),
        block_precision=_share((made.blocked & fraud).sum(), made.blocked.sum()),
        block_recall=_share((made.blocked & fraud).sum(), fraud.sum()),
    )


def money(outcome: Sequence[Outcome], is_fraud: Anything, amount_minor: Anything, policy: CostPolicy) -> Money:
    """What it cost. All amounts are of one currency."""
    made, costs = _Made.of(outcome), _costs(is_fraud, amount_minor, policy)
    spent = (costs[Outcome.APPROVE] * made.approved) + (costs[Outcome.BLOCK] * made.blocked)
    spent += costs[Outcome.REVIEW] * made.reviewed
    return Money(
        cost_minor=round(float(spent.sum())),
        approve_all_minor=round(float(costs[Outcome.APPROVE].sum())),
        block_all_minor=round(float(costs[Outcome.BLOCK].sum())),
        review_all_minor=round(float(costs[Outcome.REVIEW].sum())),
    )


def money_curve(
    is_fraud: Anything, probability: Anything, amount_minor: Anything, policy: CostPolicy
) -> list[tuple[float, int]]:
    """What blocking from a score on and approving below it would have cost: (threshold, minor units), from 0 to 1."""
    told, costs = np.asarray(probability, dtype=float), _costs(is_fraud, amount_minor, policy)
    order = np.argsort(told, kind="stable")
    approved_below = np.concatenate(([0.0], np.cumsum(costs[Outcome.APPROVE][order])))
    blocked_below = np.concatenate(([0.0], np.cumsum(costs[Outcome.BLOCK][order])))
    thresholds = np.linspace(0.0, 1.0, POINTS)
    below = np.searchsorted(told[order], thresholds, side="left")
    cost = approved_below[below] + blocked_below[-1] - blocked_below[below]
    return [(float(at), round(float(each))) for at, each in zip(thresholds, cost, strict=True)]


@dataclass(frozen=True, slots=True)
class _Made:
    approved: NDArray[np.bool_]
    blocked: NDArray[np.bool_]
    reviewed: NDArray[np.bool_]

    @classmethod
    def of(cls, outcome: Sequence[Outcome]) -> "_Made":
        named = np.array([str(each) for each in outcome], dtype="U7")
        return cls(named == Outcome.APPROVE.value, named == Outcome.BLOCK.value, named == Outcome.REVIEW.value)


def _costs(is_fraud: Anything, amount_minor: Anything, policy: CostPolicy) -> dict[Outcome, NDArray[np.float64]]:
    """Of each outcome for each payment, now that it is known what it was."""
    fraud, amounts = np.asarray(is_fraud, dtype=float), np.asarray(amount_minor).tolist()
    columns = (
        [policy.cost_of(each, told, amount) for told, amount in zip(fraud.tolist(), amounts, strict=True)]
        for each in _CONSTANTS
    )
    return {each: np.array(column, dtype=float) for each, column in zip(_CONSTANTS, columns, strict=True)}


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")
