"""What became of the decisions made without the model: counted by why, and by what it would have decided. Pure."""

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum

from rules.decision import FallbackReason, Outcome
from rules.revision import Revision, RevisionKind
from streams.reconciling.glance import Glance


class Finding(StrEnum):
    """What the model said of a decision that was made without it."""

    AGREE = "agree"
    WOULD_APPROVE = "would_approve"
    WOULD_BLOCK = "would_block"
    WOULD_REVIEW = "would_review"
    UNSCORABLE = "unscorable"
    WAITING = "waiting"  # not scored again yet


_WOULD = {
    Outcome.APPROVE: Finding.WOULD_APPROVE,
    Outcome.BLOCK: Finding.WOULD_BLOCK,
    Outcome.REVIEW: Finding.WOULD_REVIEW,
}


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """Decisions of one kind: why they were not the model's, in what currency, what was decided, what the model said."""

    fallback_reason: FallbackReason
    currency: str
    decided: Outcome
    finding: Finding


@dataclass(slots=True)
class Sum:
    """How many, and their money in minor units: amounts, and by how much the model would have cost less."""

    decisions: int = 0
    amount_minor: int = 0
    saved_minor: int = 0

    def add(self, amount_minor: int, saved_minor: int = 0) -> None:
        """One more."""
        self.decisions += 1
        self.amount_minor += amount_minor
        self.saved_minor += saved_minor


@dataclass(slots=True)
class Reconciliation:
    """Takes decisions, then their revisions; a decision counts once, by its first revision."""

    _waiting: dict[str, Glance] = field(default_factory=dict)
    _sums: defaultdict[Kind, Sum] = field(default_factory=lambda: defaultdict(Sum))

    @property
    def waiting(self) -> int:
        """Decisions without a revision."""
        return len(self._waiting)

    def decided(self, decision: Glance) -> None:
        """A decision; the model's own are not counted."""
        if decision.unmodelled:
            self._waiting[decision.decision_id] = decision

    def revised(self, revision: Revision) -> None:
        """A revision; of no account if its decision was not taken, or if it is not the model's."""
        if revision.kind is not RevisionKind.RE_SCORE:
            return
        if (decision := self._waiting.pop(revision.decision_id, None)) is None or decision.fallback_reason is None:
            return
        kind = Kind(decision.fallback_reason, decision.currency, decision.outcome, finding_of(revision))
        saved = (revision.decided_cost_minor or 0) - (revision.expected_cost_minor or 0)
        self._sums[kind].add(decision.amount_minor, saved)

    def sums(self) -> dict[Kind, Sum]:
        """All kinds there are, in their order; those that wait too."""
        sums = defaultdict(
            Sum, {kind: Sum(each.decisions, each.amount_minor, each.saved_minor) for kind, each in self._sums.items()}
        )
        for decision in self._waiting.values():
            if decision.fallback_reason is not None:
                kind = Kind(decision.fallback_reason, decision.currency, decision.outcome, Finding.WAITING)
                sums[kind].add(decision.amount_minor)
        return dict(sorted(sums.items()))


def finding_of(revision: Revision) -> Finding:
    """What the model said of the decision."""
    if revision.outcome is None:
        return Finding.UNSCORABLE
    return Finding.AGREE if revision.outcome is revision.decided_outcome else _WOULD[revision.outcome]
