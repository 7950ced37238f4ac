"""What is published of a review case: one final revision, a label where somebody looked, and questions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from support.wire_samples import a_decision, a_revision

from models.information import InformationChannel, InformationTopic
from models.label import LabelSource, LabelState
from rules.decision import DecisionSource, InputPosition, Outcome, ReasonCode
from rules.policy import CostPolicy
from rules.review_case import Case, Reviewer, VerdictReason
from rules.review_outcome import final_revision, information_request, verdict_label
from rules.review_policy import ReviewPolicy, re_score_of
from rules.revision import Agreement, Revision, RevisionKind
from streams.wire.codec import read_label, read_revision, write_label, write_revision

NOW = datetime(2026, 1, 2, 4, tzinfo=UTC)
PLACE = InputPosition(topic="decisions.review", partition=3, offset=7)
DECISION = a_decision()
COSTS = CostPolicy()
POLICY = ReviewPolicy(two_pairs_from_minor=0)
OPENED = POLICY.open(DECISION, COSTS, NOW)
ANN, BOB = Reviewer(name="ann"), Reviewer(name="bob")


def revision_of(case: Case) -> Revision:
    assert case.ending is not None
    return final_revision(case, case.ending, DECISION, PLACE, "s-2")


def test_a_verdict_is_the_reviewers_revision_and_label() -> None:
    case = OPENED.decided(ANN, Outcome.BLOCK, VerdictReason.STOLEN_CARD, NOW)
    revision = revision_of(case)
    assert (revision.kind, revision.decision_source) == (RevisionKind.VERDICT, DecisionSource.REVIEWER)
    assert (revision.outcome, revision.agreement) == (Outcome.BLOCK, Agreement.DIFFER)
    assert (revision.reviewers, revision.verdict_reason) == (("ann",), VerdictReason.STOLEN_CARD)
    assert revision.decision == PLACE
    assert read_revision(write_revision(revision)) == revision

    assert case.ending is not None
    label = verdict_label(case, case.ending, DECISION)
    assert label is not None
    assert (label.source, label.state) == (LabelSource.MANUAL_REVIEW, LabelState.FRAUD)
    assert (label.transaction_id, label.reason_code) == (DECISION.transaction_id, "STOLEN_CARD")
    assert read_label(write_label(label)) == label


def test_an_approval_says_legitimate() -> None:
    case = OPENED.decided(ANN, Outcome.APPROVE, VerdictReason.USUAL_FOR_CARD, NOW)
    assert case.ending is not None
    label = verdict_label(case, case.ending, DECISION)
    assert label is not None
    assert label.state is LabelState.LEGITIMATE


def test_only_those_who_agreed_stand_on_it() -> None:
    lea = Reviewer(name="lea", second_line=True)
    case = replace(OPENED, eyes=2).decided(ANN, Outcome.BLOCK, VerdictReason.STOLEN_CARD, NOW)
    case = case.decided(BOB, Outcome.APPROVE, VerdictReason.OTHER, NOW)
    case = case.decided(lea, Outcome.BLOCK, VerdictReason.KNOWN_PATTERN, NOW)
    assert revision_of(case).reviewers == ("ann", "lea")


def test_a_default_names_why_nobody_decided_and_is_no_label() -> None:
    waiting = OPENED.asked(
        ANN,
        InformationTopic.DID_YOU_PAY,
        InformationChannel.SMS,
        "",
        NOW,
        until=NOW + timedelta(minutes=5),
        default=Outcome.BLOCK,
    )
    ended = {
        ReasonCode.REVIEW_OVERDUE: OPENED.expired(OPENED.due_at),
        ReasonCode.INFORMATION_UNANSWERED: waiting.expired(NOW + timedelta(minutes=5)),
        ReasonCode.REVIEW_QUEUE_FULL: OPENED.displaced(NOW),
    }
    for reason, case in ended.items():
        revision = revision_of(case)
        assert (revision.kind, revision.decision_source) == (
            RevisionKind.TIMEOUT_DEFAULT,
            DecisionSource.TIMEOUT_DEFAULT,
        )
        assert revision.reason_codes == (reason,)
        assert revision.reviewers == ()
        assert case.ending is not None
        assert verdict_label(case, case.ending, DECISION) is None


def test_an_adopted_re_score_is_the_models_word() -> None:
    said = a_revision()
    re_score = re_score_of(said, COSTS)
    assert re_score is not None
    revision = revision_of(OPENED.re_scored(re_score, NOW, adopt=True))
    assert (revision.kind, revision.decision_source) == (RevisionKind.RE_SCORE_ADOPTED, DecisionSource.MODEL)
    assert revision.revision_id != said.revision_id
    assert (revision.outcome, revision.risk_score, revision.reason_codes) == (
        said.outcome,
        said.risk_score,
        said.reason_codes,
    )


def test_a_question_names_the_payment_and_itself() -> None:
    case = OPENED.asked(
        ANN,
        InformationTopic.IDENTITY,
        InformationChannel.EMAIL,
        "a passport",
        NOW,
        until=NOW + timedelta(minutes=5),
        default=Outcome.BLOCK,
    )
    assert case.question is not None
    request = information_request(case, case.question, DECISION)
    assert request.request_id == "d-1.q1"
    assert (request.transaction_id, request.pan_token) == (DECISION.transaction_id, DECISION.pan_token)
    assert (request.asked, request.text) == (InformationTopic.IDENTITY, "a passport")
