"""The revision: a later word on a decision. It names the decision and never takes its place."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum

from models.features import FEATURES
from models.score import Score
from models.transaction import SCHEMA_VERSION, UtcTime
from rules.decision import Decision, DecisionSource, FallbackReason, InputPosition, Outcome, ReasonCode
from rules.judgement import Judge
from rules.review_case import VerdictReason
from rules.ruleset import Verdict


class RevisionKind(StrEnum):
    """Whose later word it is."""

    RE_SCORE = "re_score"  # the model's, of a payment that was decided without it
    VERDICT = "verdict"  # a reviewer's, or two of them
    TIMEOUT_DEFAULT = "timeout_default"  # nobody's: the default of the review's queue
    RE_SCORE_ADOPTED = "re_score_adopted"  # the model's, that closed a review
    COMPLAINT_UPHELD = "complaint_upheld"  # of whoever found that the payment should have passed


class Agreement(StrEnum):
    """What the later word makes of the outcome."""

    AGREE = "agree"
    DIFFER = "differ"
    UNSCORABLE = "unscorable"  # nothing can be said: the features recorded are not those of this release


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What is published of a decision looked at again. Money in minor units, times aware and UTC.

    `outcome`, its source, reasons, confidence and costs are what is right by now, None or empty where nothing can be
    said; `decided_*` repeat the decision. The costs are those of either outcome by the score given now.
    """

    revision_id: str
    kind: RevisionKind
    agreement: Agreement
    decision_id: str  # of the decision that it speaks of
    transaction_id: str
    pan_token: str
    outcome: Outcome | None = None
    decision_source: DecisionSource | None = None
    reason_codes: tuple[ReasonCode, ...] = ()
    risk_score: float | None = None
    confidence: float | None = None
    expected_cost_minor: int | None = None  # of `outcome`
    decided_cost_minor: int | None = None  # of `decided_outcome`
    model_version: str | None = None
    settings_version: str
    decided_outcome: Outcome
    decided_source: DecisionSource
    fallback_reason: FallbackReason | None
    decided_at: UtcTime
    revised_at: UtcTime
    amount_minor: int
    currency: str
    merchant_id: str
    decision: InputPosition  # where the decision lay
    schema_version: int = SCHEMA_VERSION
    credibility: float | None = None
    reviewers: tuple[str, ...] = ()  # whose verdict it is
    verdict_reason: VerdictReason | None = None
    supersedes: str | None = None  # the revision whose place it takes; None where that is the decision's


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What revisions repeat of the decision that they speak of."""

    decision_id: str
    transaction_id: str
    pan_token: str
    decided_outcome: Outcome
    decided_source: DecisionSource
    fallback_reason: FallbackReason | None
    decided_at: UtcTime
    amount_minor: int
    currency: str
    merchant_id: str
    decision: InputPosition

    def revised(self, kind: RevisionKind, outcome: Outcome, settings_version: str, now: datetime) -> Revision:
        """A later word: what is right by now."""
        said = self.unsaid(kind, settings_version, now)
        agreement = Agreement.AGREE if outcome is self.decided_outcome else Agreement.DIFFER
        return replace(said, outcome=outcome, agreement=agreement)

    def unsaid(self, kind: RevisionKind, settings_version: str, now: datetime) -> Revision:
        """A later word that can say nothing."""
        return Revision(
            revision_id=f"{self.decision_id}.{kind}",
            kind=kind,
            agreement=Agreement.UNSCORABLE,
            settings_version=settings_version,
            revised_at=now,
            **{each.name: getattr(self, each.name) for each in fields(self)},
        )


def decided(decision: Decision, place: InputPosition) -> Decided:
    """What is repeated of a decision that lay at `place`."""
    return Decided(
        decision_id=decision.decision_id,
        transaction_id=decision.transaction_id,
        pan_token=decision.pan_token,
        decided_outcome=decision.outcome,
        decided_source=decision.decision_source,
        fallback_reason=decision.fallback_reason,
        decided_at=decision.decided_at,
        amount_minor=decision.amount_minor,
        currency=decision.currency,
        merchant_id=decision.merchant_id,
        decision=place,
    )


def decided_before(revision: Revision) -> Decided:
    """What a revision repeats of its decision."""
    return Decided(**{each.name: getattr(revision, each.name) for each in fields(Decided)})


def is_scorable(decision: Decision) -> bool:
    """Whether the features recorded are as many as this release has."""
    return len(decision.features) == len(FEATURES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviser:
    """Makes revisions of decisions that were not the model's, by the policies in force now."""

    judge: Judge
    settings_version: str

    def re_scored(self, decision: Decision, place: InputPosition, score: Score, now: datetime) -> Revision:
        """What would have been decided with this score; hard rules hold all the same."""
        concluded = self.judge.with_score(score, decision.amount_minor, _verdict(decision))
        probability = score.fraud_probability
        costs = self.judge.costs
        before = decided(decision, place)
        return replace(
            before.revised(RevisionKind.RE_SCORE, concluded.outcome, self.settings_version, now),
            decision_source=concluded.source,
            reason_codes=concluded.reasons,
            risk_score=probability,
            confidence=concluded.confidence,
            credibility=concluded.credibility,
            expected_cost_minor=round(costs.cost_of(concluded.outcome, probability, decision.amount_minor)),
            decided_cost_minor=round(costs.cost_of(decision.outcome, probability, decision.amount_minor)),
            model_version=score.model_version,
        )

    def unscorable(self, decision: Decision, place: InputPosition, now: datetime) -> Revision:
        """Say that nothing can be said of the decision that lay at `place`."""
        return decided(decision, place).unsaid(RevisionKind.RE_SCORE, self.settings_version, now)


def _verdict(decision: Decision) -> Verdict:
    """What rules said then, as far as the model's word depends on it."""
    return Verdict(
        hits=decision.rule_hits,
        outcome=decision.rule_outcome,
        reasons=(),
        always=decision.rule_always,
        always_reasons=decision.reason_codes,  # without a score, a hard rule's reasons were the decision's
        failed=(),
    )
