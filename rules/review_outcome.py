"""What the world is told of a review case: its one final revision, the label of a verdict, a question."""

from dataclasses import replace

from models.information import InformationRequest
from models.label import Label, LabelSource, LabelState
from rules.decision import Decision, DecisionSource, InputPosition, Outcome, ReasonCode
from rules.review_case import Case, EndedBy, Ending, Question
from rules.revision import Revision, RevisionKind, decided

_KINDS = {
    EndedBy.VERDICT: RevisionKind.VERDICT,
    EndedBy.TIMEOUT: RevisionKind.TIMEOUT_DEFAULT,
    EndedBy.UNANSWERED: RevisionKind.TIMEOUT_DEFAULT,
    EndedBy.OVERFLOW: RevisionKind.TIMEOUT_DEFAULT,
    EndedBy.RE_SCORE: RevisionKind.RE_SCORE_ADOPTED,
}
_SOURCES = {
    RevisionKind.VERDICT: DecisionSource.REVIEWER,
    RevisionKind.TIMEOUT_DEFAULT: DecisionSource.TIMEOUT_DEFAULT,
    RevisionKind.RE_SCORE_ADOPTED: DecisionSource.MODEL,
}
_REASONS = {
    EndedBy.TIMEOUT: ReasonCode.REVIEW_OVERDUE,
    EndedBy.UNANSWERED: ReasonCode.INFORMATION_UNANSWERED,
    EndedBy.OVERFLOW: ReasonCode.REVIEW_QUEUE_FULL,
}


def final_revision(
    case: Case, ending: Ending, decision: Decision, place: InputPosition, settings_version: str
) -> Revision:
    """The final word on a decision, that lay at `place`."""
    kind = _KINDS[ending.by]
    agreeing = (
        [each for each in case.verdicts if each.outcome is ending.outcome] if kind is RevisionKind.VERDICT else []
    )
    adopted = case.re_score if ending.by is EndedBy.RE_SCORE else None
    return replace(
        decided(decision, place).revised(kind, ending.outcome, settings_version, ending.at),
        decision_source=_SOURCES[kind],
        reason_codes=adopted.reason_codes if adopted else tuple(filter(None, [_REASONS.get(ending.by)])),
        risk_score=adopted.risk_score if adopted else None,
        confidence=adopted.confidence if adopted else None,
        model_version=adopted.model_version if adopted else None,
        reviewers=tuple(each.reviewer for each in agreeing),
        verdict_reason=agreeing[-1].reason if agreeing else None,
    )


def verdict_label(case: Case, ending: Ending, decision: Decision) -> Label | None:
    """What the learner is told of a verdict; None where nobody looked."""
    if ending.by is not EndedBy.VERDICT:
        return None
    return Label(
        label_id=f"{decision.decision_id}.{RevisionKind.VERDICT}",
        transaction_id=decision.transaction_id,
        source=LabelSource.MANUAL_REVIEW,
        state=LabelState.FRAUD if ending.outcome is Outcome.BLOCK else LabelState.LEGITIMATE,
        effective_at=ending.at,
        received_at=ending.at,
        reason_code=case.verdicts[-1].reason.value,
    )


def information_request(case: Case, question: Question, decision: Decision) -> InformationRequest:
    """The question that the case waits for."""
    return InformationRequest(
        request_id=case.request_id,
        case_id=case.case_id,
        transaction_id=decision.transaction_id,
        pan_token=decision.pan_token,
        asked=question.asked,
        channel=question.channel,
        text=question.text,
        asked_at=question.asked_at,
        until=question.until,
        amount_minor=decision.amount_minor,
        currency=decision.currency,
        merchant_id=decision.merchant_id,
    )
