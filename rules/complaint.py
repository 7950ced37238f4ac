"""A complaint: somebody says that a payment was stopped that should have passed. Pure; the first word on it stands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import Annotated

from msgspec import Meta

from models.information import Said
from models.label import Label, LabelSource, LabelState
from models.transaction import SCHEMA_VERSION, Identifier, UtcTime
from rules.decision import Decision, DecisionSource, InputPosition, Outcome, ReasonCode
from rules.revision import Decided, Revision, RevisionKind, decided, decided_before

ComplaintId = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.:-]{1,48}\Z")]


class ComplaintState(StrEnum):
    """What became of it."""

    RECEIVED = "received"
    UPHELD = "upheld"  # the payment was good: it should have passed
    REJECTED = "rejected"


class ComplaintRefusal(StrEnum):
    """Why a complaint, or a word on one, was not taken."""

    NOT_STOPPED = "not_stopped"  # no payment of this id was stopped, as far as is known
    SETTLED = "settled"  # otherwise, and for good
    OWN_VERDICT = "own_verdict"  # it is about what this reviewer decided
    CARD_NUMBER = "card_number"  # stands in its words


class ComplaintRefused(Exception):
    """A complaint, or a word on one, that cannot be taken."""

    def __init__(self, reason: ComplaintRefusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedPayment:
    """A payment that did not pass, by a decision or as a review ended: what a complaint may be about."""

    decided: Decided
    source: DecisionSource  # who stopped it
    model_version: str | None  # None where no model chose the outcome
    stopped_at: UtcTime
    reviewers: tuple[str, ...] = ()  # whose verdict it was
    revision_id: str | None = None  # by which it was stopped; None where the decision did it


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What somebody says of a payment that was stopped, and what became of it.

    Whoever hands one in gives `complaint_id`, `transaction_id`, `text` and `complained_at`; the console adds the rest.
    """

    complaint_id: ComplaintId
    transaction_id: Identifier
    text: Said = ""
    complained_at: UtcTime
    state: ComplaintState = ComplaintState.RECEIVED
    decision_id: str | None = None  # what it is about; None until the console has found it
    decision_source: DecisionSource | None = None  # who stopped the payment
    model_version: str | None = None
    stopped_at: UtcTime | None = None
    reviewers: tuple[str, ...] = ()  # whose verdict it was
    settled_at: UtcTime | None = None
    settled_by: str | None = None
    schema_version: int = SCHEMA_VERSION

    def about(self, stopped: StoppedPayment) -> "Complaint":
        """The same as it was handed in, linked to what it is about."""
        return Complaint(
            complaint_id=self.complaint_id,
            transaction_id=self.transaction_id,
            text=self.text,
            complained_at=self.complained_at,
            decision_id=stopped.decided.decision_id,
            decision_source=stopped.source,
            model_version=stopped.model_version,
            stopped_at=stopped.stopped_at,
            reviewers=stopped.reviewers,
        )

    def settled(self, state: ComplaintState, by: str, now: datetime) -> "Complaint":
        """Upheld or rejected, by somebody who has not stopped the payment. Said again, it changes nothing.

        Raises ComplaintRefused, and ValueError for a state that settles nothing.
        """
        if state is ComplaintState.RECEIVED:
            raise ValueError("a complaint is settled by upholding or rejecting it")
        if self.state is state:
            return self
        if self.state is not ComplaintState.RECEIVED:
            raise ComplaintRefused(ComplaintRefusal.SETTLED)
        if by in self.reviewers:
            raise ComplaintRefused(ComplaintRefusal.OWN_VERDICT)
        return replace(self, state=state, settled_at=now, settled_by=by)

    def label(self) -> Label | None:
        """What the learner is told of it; None unless it was upheld."""
        if self.state is not ComplaintState.UPHELD or self.settled_at is None:
            return None
        return Label(
            label_id=f"complaint.{self.complaint_id}",
            transaction_id=self.transaction_id,
            source=LabelSource.CUSTOMER_COMPLAINT,
            state=LabelState.LEGITIMATE,
            effective_at=self.complained_at,
            received_at=self.settled_at,
            reason_code=ReasonCode.COMPLAINT_UPHELD.value,
        )

    def revision(self, stopped: StoppedPayment, settings_version: str) -> Revision | None:
        """What is right by now of the payment that it is about; None unless it was upheld."""
        if self.state is not ComplaintState.UPHELD or self.settled_at is None or self.settled_by is None:
            return None
        kind = RevisionKind.COMPLAINT_UPHELD
        return replace(
            stopped.decided.revised(kind, Outcome.APPROVE, settings_version, self.settled_at),
            decision_source=DecisionSource.REVIEWER,
            reason_codes=(ReasonCode.COMPLAINT_UPHELD,),
            reviewers=(self.settled_by,),
            supersedes=stopped.revision_id,
        )


def stopped_by_decision(decision: Decision, place: InputPosition) -> StoppedPayment | None:
    """What a decision stopped, that lay at `place`; None where it did not."""
    if decision.outcome is not Outcome.BLOCK:
        return None
    return StoppedPayment(
        decided=decided(decision, place),
        source=decision.decision_source,
        model_version=decision.model_version,
        stopped_at=decision.decided_at,
    )


def stopped_by_revision(revision: Revision) -> StoppedPayment | None:
    """What the end of a review stopped; None where it did not, or the decision had already."""
    final = revision.kind is not RevisionKind.RE_SCORE
    if not final or revision.outcome is not Outcome.BLOCK or revision.decided_outcome is Outcome.BLOCK:
        return None
    return StoppedPayment(
        decided=decided_before(revision),
        source=revision.decision_source or revision.decided_source,
        model_version=revision.model_version,
        stopped_at=revision.revised_at,
        reviewers=revision.reviewers,
        revision_id=revision.revision_id,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintFigures:
    """How often people complained of what was stopped, how often they were right, and how long they waited."""

    stopped: int = 0  # payments
    received: int = 0  # complaints about them, whatever became of them
    upheld: int = 0
    rejected: int = 0
    median_seconds: float | None = None  # from complaint to settlement; None where none was settled

    @property
    def per_thousand(self) -> float | None:
        """Complaints for each thousand payments that were stopped; None where none were."""
        return 1000.0 * self.received / self.stopped if self.stopped else None

    @property
    def upheld_share(self) -> float | None:
        """Of those settled; None where none was."""
        settled = self.upheld + self.rejected
        return self.upheld / settled if settled else None


def figures_of(stopped: Mapping[str, int], complaints: Iterable[tuple[str, Complaint]]) -> dict[str, ComplaintFigures]:
    """Figures by whatever groups them: how many payments were stopped in each group, and complaints with theirs."""
    grouped: dict[str, list[Complaint]] = {name: [] for name in stopped}
    for name, complaint in complaints:
        grouped.setdefault(name, []).append(complaint)
    return {name: _figures(stopped.get(name, 0), each) for name, each in grouped.items()}


def _figures(stopped: int, complaints: list[Complaint]) -> ComplaintFigures:
    waited = [(each.settled_at - each.complained_at).total_seconds() for each in complaints if each.settled_at]
    return ComplaintFigures(
        stopped=stopped,
        received=len(complaints),
        upheld=sum(each.state is ComplaintState.UPHELD for each in complaints),
        rejected=sum(each.state is ComplaintState.REJECTED for each in complaints),
        median_seconds=median(waited) if waited else None,
    )
