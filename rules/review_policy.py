"""How reviews are queued: which queue a decision goes to, by when it is due, what holds then, and what goes first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf, log
from typing import Annotated

from msgspec import Meta

from rules.decision import Decision, DecisionSource, Outcome, ReasonCode
from rules.policy import CostPolicy
from rules.review_case import Case, EndedBy, ReScore
from rules.revision import Revision
from rules.safe_default import AmountBand, SafeDefaultPolicy

Minutes = Annotated[float, Meta(gt=0)]
Days = Annotated[float, Meta(gt=0)]
QueueName = Annotated[str, Meta(pattern=r"\A[a-z0-9-]{1,32}\Z")]

_DEFAULTS = (
    AmountBand(below_minor=5_000, outcome=Outcome.APPROVE),
    AmountBand(outcome=Outcome.BLOCK),
)


class Sla(StrEnum):
    """How a case stands to its due time."""

    IN_TIME = "in_time"
    WARNING = "warning"
    BREACHED = "breached"  # due, and nobody has decided


def sla(case: Case, now: datetime) -> Sla:
    """How it stands now, or stood when it was closed."""
    at = case.ending.at if case.ending is not None else now
    if at >= case.due_at:
        return Sla.BREACHED
    return Sla.WARNING if at >= case.warn_at else Sla.IN_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewQueue:
    """One queue: which decisions it takes (all conditions that are named must hold) and what it promises.

    Raises ValueError for a default that does not approve or block, or bands that do not cover every amount once.
    """

    name: QueueName = "reviews"
    from_minor: int = 0  # amounts from here on
    below_minor: int | None = None
    currencies: tuple[str, ...] = ()  # none named: all
    merchants: tuple[str, ...] = ()
    sources: tuple[DecisionSource, ...] = ()
    reasons: tuple[ReasonCode, ...] = ()  # any of these
    due_minutes: Minutes = 240.0
    warn_after_share: Annotated[float, Meta(gt=0, le=1)] = 0.75  # of the time until it is due
    most_open: Annotated[int, Meta(ge=1)] = 100_000  # beyond it those that rank last go by their default
    dealt: Annotated[int, Meta(ge=0)] = 0  # cases in hand of each reviewer on duty, in turn; 0: reviewers take them
    defaults: tuple[AmountBand, ...] = _DEFAULTS  # what holds when nobody decided in time

    def __post_init__(self) -> None:
        if any(band.outcome is Outcome.REVIEW or band.channel is not None for band in self.defaults):
            raise ValueError("a default of a queue approves or blocks, by amount alone")
        _ = self._bands

    def takes(self, decision: Decision) -> bool:
        """Whether a decision belongs here."""
        return (
            self.from_minor <= decision.amount_minor < (inf if self.below_minor is None else self.below_minor)
            and _among(decision.currency, self.currencies)
            and _among(decision.merchant_id, self.merchants)
            and _among(decision.decision_source, self.sources)
            and (not self.reasons or not set(self.reasons).isdisjoint(decision.reason_codes))
        )

    def default_for(self, amount_minor: int) -> Outcome:
        """What holds when nobody decided in time."""
        return self._bands.outcome_for(amount_minor)

    @property
    def _bands(self) -> SafeDefaultPolicy:
        return SafeDefaultPolicy(bands=self.defaults)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPolicy:
    """What holds for all queues. The first queue that takes a decision has it; the last must take everything.

    Raises ValueError where it does not, or where two queues have one name.
    """

    lease_minutes: Minutes = 30.0  # then a case returns to its queue by itself
    two_pairs_from_minor: Annotated[int, Meta(ge=0)] = 1_000_000  # amounts from here on need two reviewers; 0: none
    blocked_from_minor: Annotated[int, Meta(ge=0)] = 0  # blocks from this amount on are reviewed too; 0: none
    adopt_re_scores: bool = True  # the model's later word closes a case that nobody has begun
    unanswered: Outcome = Outcome.BLOCK  # where information was asked for, and none came
    unknown_risk: Annotated[float, Meta(ge=0, le=1)] = 0.5  # of a decision without a score
    complaint_days: Days = 90.0  # so long after a payment was stopped a complaint of it is heard
    second_look_share: Annotated[float, Meta(ge=0, le=1)] = 0.02  # of cases that one reviewer decided; 0: none
    urgency_minutes: Minutes = 30.0  # so much less time left goes before as does 2.7 times the loss
    queues: tuple[ReviewQueue, ...] = field(default=(ReviewQueue(),))

    def __post_init__(self) -> None:
        if self.unanswered is Outcome.REVIEW:
            raise ValueError("unanswered must be approve or block")
        if not self.queues or self.queues[-1] != _everything(self.queues[-1]):
            raise ValueError("the last queue must take every decision: no condition may be named")
        if len({each.name for each in self.queues}) < len(self.queues):
            raise ValueError("two queues have one name")

    def wants(self, decision: Decision) -> bool:
        """Whether people are to look at it."""
        if decision.outcome is Outcome.BLOCK:
            return 0 < self.blocked_from_minor <= decision.amount_minor
        return decision.outcome is Outcome.REVIEW

    def open(self, decision: Decision, costs: CostPolicy, now: datetime) -> Case:
        """The case of a decision. A block stays one if nobody decides."""
        queue = next(each for each in self.queues if each.takes(decision))
        due_in = timedelta(minutes=queue.due_minutes)
        blocked = decision.outcome is Outcome.BLOCK
        risk = self.unknown_risk if decision.risk_score is None else decision.risk_score
        return Case(
            case_id=decision.decision_id,
            queue=queue.name,
            opened_at=now,
            warn_at=now + due_in * queue.warn_after_share,
            due_at=now + due_in,
            default=Outcome.BLOCK if blocked else queue.default_for(decision.amount_minor),
            eyes=2 if 0 < self.two_pairs_from_minor <= decision.amount_minor else 1,
            expected_loss_minor=_expected_loss(risk, decision.amount_minor, costs),
        )

    def wants_second_look(self, before: Case, after: Case, drawn: float) -> bool:
        """Whether another reviewer is to look at what one has just decided; `drawn` is uniform in [0, 1)."""
        decided = before.ending is None and after.ending is not None and after.ending.by is EndedBy.VERDICT
        return decided and len(after.verdicts) == 1 and drawn < self.second_look_share

    def rank(self, case: Case) -> float:
        """What goes first: the lowest. Seconds; the order of two cases never changes with time.

        Apparent tardiness cost (Vepsalainen and Morton, 1987): the expected loss, falling by a factor of e for each
        `urgency_minutes` that are left. Of loss times exp(time / urgency) the logarithm orders alike.
        """
        return case.due_at.timestamp() - self.urgency_minutes * 60.0 * log(1.0 + case.expected_loss_minor)


def re_score_of(revision: Revision, costs: CostPolicy) -> ReScore | None:
    """What a case must know of the model's later word; None where the model could say nothing."""
    if revision.outcome is None or revision.risk_score is None:
        return None
    return ReScore(
        revision_id=revision.revision_id,
        outcome=revision.outcome,
        reason_codes=revision.reason_codes,
        risk_score=revision.risk_score,
        confidence=revision.confidence,
        model_version=revision.model_version,
        expected_loss_minor=_expected_loss(revision.risk_score, revision.amount_minor, costs),
    )


def _expected_loss(risk: float, amount_minor: int, costs: CostPolicy) -> int:
    return round(min(costs.approve_cost(risk, amount_minor), costs.block_cost(risk, amount_minor)))


def _among(value: str, named: Sequence[str]) -> bool:
    return not named or value in named


def _everything(queue: ReviewQueue) -> ReviewQueue:
    """The same queue without conditions."""
    return ReviewQueue(
        name=queue.name,
        due_minutes=queue.due_minutes,
        warn_after_share=queue.warn_after_share,
        most_open=queue.most_open,
        dealt=queue.dealt,
        defaults=queue.defaults,
    )
