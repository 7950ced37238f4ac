"""Whether the stated error rates hold week by week: of automatic approvals, of automatic blocks, and of probabilities.

Each payment is judged as a worker would: with the score, and the bounds of the track record, that there were when it
came. What was learnt of it came a week later.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from models.evaluation import expected_calibration_error
from models.warm_up import Payment, Scored, WarmUp
from rules.decision import Outcome, ReasonCode
from rules.hindsight import Hindsight
from rules.policy import CostPolicy

WEEK = 7 * 86_400
MOST_REVIEWED, MOST_UNLIKE_EITHER = 0.1, 0.001

Judged = tuple[Scored, Outcome, bool]  # a payment, what becomes of it, and whether it was like neither class


@dataclass(frozen=True, kw_only=True)
class Week:
    """Shares of all, of automatic approvals and of automatic blocks."""

    payments: int
    approvals: int
    blocks: int
    fraud_approved: float
    legitimate_blocked: float
    reviewed: float
    unlike_either: float
    calibration_error: float


def lived(payments: Iterable[Payment], policy: CostPolicy) -> Iterator[Judged]:
    """Each payment as it would be judged."""
    warm_up = WarmUp(wanted=policy.wanted, levels=policy.error_levels)
    hindsight = Hindsight(policy, warm_up.learner.model.track_record)
    for payment in payments:
        scored = warm_up.live(payment)
        judged = hindsight.judge(scored)
        assert judged is not None
        yield scored, judged.outcome, judged.reason is ReasonCode.OUT_OF_DISTRIBUTION


def weeks(judged: Iterable[Judged], judge_from: float) -> tuple[list[Week], Week]:
    """Whole weeks from then on, and what is left at the end where that is most of one; then all of it together."""
    rows = [
        (each.payment.at - judge_from, each.payment.is_fraud, each.fraud_probability, outcome, unlike)
        for each, outcome, unlike in judged
        if each.payment.at >= judge_from
    ]
    at, *columns = (np.array(column) for column in zip(*rows, strict=True))
    number = at // WEEK
    by_week = [week(*(column[number == each] for column in columns)) for each in range(round(at[-1] / WEEK))]
    return by_week, week(*columns)


def week(fraud: np.ndarray, told: np.ndarray, outcome: np.ndarray, unlike: np.ndarray) -> Week:
    approved, blocked = outcome == Outcome.APPROVE, outcome == Outcome.BLOCK
    return Week(
        payments=len(fraud),
        approvals=int(approved.sum()),
        blocks=int(blocked.sum()),
        fraud_approved=float(fraud[approved].sum() / max(approved.sum(), 1)),
        legitimate_blocked=float((~fraud[blocked]).sum() / max(blocked.sum(), 1)),
        reviewed=float((outcome == Outcome.REVIEW).mean()),
        unlike_either=float(unlike.mean()),
        calibration_error=expected_calibration_error(fraud, told),
    )


def hold(judged: list[Week], policy: CostPolicy) -> None:
    """Print the weeks, and hold them against the levels; few may be sent to people."""
    for each in judged:
        print(each)  # noqa: T201 - the report: `pytest -s`
    assert all(each.fraud_approved <= policy.most_fraud_approved for each in judged)
    assert all(each.legitimate_blocked <= policy.most_legitimate_blocked for each in judged)
    assert all(each.reviewed <= MOST_REVIEWED and each.unlike_either <= MOST_UNLIKE_EITHER for each in judged)
