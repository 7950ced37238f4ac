"""A later word on a decision: the same that would have been decided, with the costs of both outcomes."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from support.wire_samples import a_decision

from models.features import FEATURES
from models.score import Score
from rules.decision import Decision, DecisionSource, FallbackReason, InputPosition, Outcome, ReasonCode
from rules.judgement import Judge
from rules.policy import CostPolicy
from rules.revision import Agreement, Reviser, Revision, is_scorable
from rules.ruleset import Verdict
from rules.safe_default import SafeDefaultPolicy
from rules.stand_in import StandInLimits, StandInUse
from streams.wire.codec import read_revision, write_revision

NOW = datetime(2026, 1, 2, 4, tzinfo=UTC)
PLACE = InputPosition(topic="decisions.review", partition=3, offset=7)
JUDGE = Judge(costs=CostPolicy(), limits=StandInLimits(), safe_default=SafeDefaultPolicy())
REVISER = Reviser(judge=JUDGE, settings_version="s-2")

outcomes = st.sampled_from(Outcome)
verdicts = st.builds(
    Verdict,
    hits=st.just(("r-1",)),
    outcome=outcomes,
    reasons=st.just((ReasonCode.HIGH_VELOCITY,)),
    always=st.none() | outcomes,
    always_reasons=st.just((ReasonCode.LISTED_DENY,)),
    failed=st.just(()),
)
probabilities = st.floats(0, 1)
amounts = st.integers(1, 10**7)


def decided_in_the_dark(verdict: Verdict, amount_minor: int) -> Decision:
    """As the hot path decides without a score."""
    concluded = JUDGE.without_score(FallbackReason.CIRCUIT_OPEN, amount_minor, verdict, StandInUse())
    return structs.replace(
        a_decision(),
        outcome=concluded.outcome,
        decision_source=concluded.source,
        fallback_reason=concluded.fallback_reason,
        reason_codes=concluded.reasons,
        rule_hits=verdict.hits,
        rule_outcome=verdict.outcome,
        rule_always=verdict.always,
        risk_score=None,
        amount_minor=amount_minor,
    )


def score(probability: float) -> Score:
    return Score(fraud_probability=probability, model_version="m-9")


def re_scored(decision: Decision, probability: float) -> Revision:
    return REVISER.re_scored(decision, PLACE, score(probability), NOW)


@given(verdict=verdicts, probability=probabilities, amount_minor=amounts)
def test_it_says_what_would_have_been_decided_with_the_score(
    verdict: Verdict, probability: float, amount_minor: int
) -> None:
    decision = decided_in_the_dark(verdict, amount_minor)
    would = JUDGE.with_score(score(probability), amount_minor, verdict)

    revision = re_scored(decision, probability)

    said = revision.outcome, revision.decision_source, revision.reason_codes, revision.confidence
    assert said == (would.outcome, would.source, would.reasons, would.confidence)
    assert (revision.agreement is Agreement.AGREE) == (would.outcome is decision.outcome)
    assert read_revision(write_revision(revision)) == revision


@given(verdict=verdicts, probability=probabilities, amount_minor=amounts)
def test_costs_are_those_of_both_outcomes_by_the_score_given_now(
    verdict: Verdict, probability: float, amount_minor: int
) -> None:
    decision, costs = decided_in_the_dark(verdict, amount_minor), JUDGE.costs
    by_outcome = {
        Outcome.APPROVE: costs.approve_cost(probability, amount_minor),
        Outcome.BLOCK: costs.block_cost(probability, amount_minor),
        Outcome.REVIEW: costs.review_minor,
    }

    revision = re_scored(decision, probability)

    assert revision.outcome is not None
    assert revision.expected_cost_minor == round(by_outcome[revision.outcome])
    assert revision.decided_cost_minor == round(by_outcome[decision.outcome])


def test_a_hard_rule_holds_over_a_model_that_would_approve() -> None:
    denied = Verdict(
        hits=("deny",),
        outcome=Outcome.BLOCK,
        reasons=(ReasonCode.LISTED_DENY,),
        always=Outcome.BLOCK,
        always_reasons=(ReasonCode.LISTED_DENY,),
        failed=(),
    )

    revision = re_scored(decided_in_the_dark(denied, 1000), 0.001)

    assert (revision.agreement, revision.decision_source) == (Agreement.AGREE, DecisionSource.RULES)


def test_it_names_the_decision_and_repeats_what_matters_of_it() -> None:
    decision = a_decision()

    revision = re_scored(decision, 0.9)

    assert revision.revision_id == f"{decision.decision_id}.re_score"
    assert (revision.decision_id, revision.decision) == (decision.decision_id, PLACE)
    assert revision.decided_outcome is decision.outcome
    assert revision.fallback_reason is decision.fallback_reason
    assert (revision.amount_minor, revision.currency) == (decision.amount_minor, decision.currency)
    assert (revision.decided_at, revision.revised_at) == (decision.decided_at, NOW)
    assert (revision.settings_version, revision.model_version) == ("s-2", "m-9")


def test_of_features_of_another_release_nothing_is_said() -> None:
    ours, other = structs.replace(a_decision(), features=(0.0,) * len(FEATURES)), a_decision()
    assert (is_scorable(ours), is_scorable(other)) == (True, False)

    revision = REVISER.unscorable(other, PLACE, NOW)

    assert (revision.agreement, revision.outcome, revision.risk_score) == (Agreement.UNSCORABLE, None, None)
    assert read_revision(write_revision(revision)) == revision
