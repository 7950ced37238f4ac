"""Judgement: hard rules, then the model, then rules within limits, then a safe default."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from models.features import FEATURES
from models.score import Certainty, Score
from rules.decision import DecisionSource, FallbackReason, Outcome, ReasonCode
from rules.judgement import Judge
from rules.policy import CostPolicy, judge
from rules.ruleset import NO_HIT, Verdict
from rules.safe_default import SafeDefaultPolicy
from rules.sandbox import FORCED_FALLBACKS, FORCED_OUTCOMES, TEST_TOKEN_PREFIX, forced_conclusion
from rules.stand_in import StandInLimits, StandInUse

LIMITS = StandInLimits(max_amount_minor=15_000, max_count=5, max_sum_minor=30_000)
JUDGE = Judge(costs=CostPolicy(), limits=LIMITS, safe_default=SafeDefaultPolicy())
NONE_USED = StandInUse(count=0, sum_minor=0)
ALL_USED = StandInUse(count=5, sum_minor=10_000)

outcomes = st.sampled_from(Outcome)
reasons = st.lists(st.sampled_from(ReasonCode), min_size=1, max_size=3).map(tuple)
hits = st.lists(st.sampled_from(["r-1", "r-2"]), max_size=2).map(tuple)
verdicts = st.builds(
    Verdict,
    hits=hits,
    outcome=outcomes,
    reasons=reasons,
    always=outcomes | st.none(),
    always_reasons=reasons,
    failed=hits,
)
uses = st.builds(
    StandInUse,
    count=st.integers(0, 10),
    sum_minor=st.integers(0, 40_000),
    recent=st.lists(st.tuples(st.floats(0, 86_400), st.integers(1, 20_000)), max_size=4).map(tuple),
    known_seconds=st.sampled_from([0.0, 3_000.0, 86_400.0]),
)
amounts = st.integers(1, 40_000) | st.integers(1, 10**12)


def score(probability: float) -> Score:
    return Score(fraud_probability=probability, model_version="m-1")


def verdict(outcome: Outcome, *, always: Outcome | None = None, hits: tuple[str, ...] = ("r-1",)) -> Verdict:
    reason = (ReasonCode.HIGH_VELOCITY,)
    return Verdict(
        hits=hits, outcome=outcome, reasons=reason, always=always, always_reasons=reason if always else (), failed=()
    )


@given(st.floats(0.0, 1.0), amounts, verdicts, uses, st.sampled_from(FallbackReason))
def test_hard_rules_hold_with_the_model_and_without(
    probability: float, amount: int, given_verdict: Verdict, used: StandInUse, why: FallbackReason
) -> None:
    with_score = JUDGE.with_score(score(probability), amount, given_verdict)
    without_score = JUDGE.without_score(why, amount, given_verdict, used)
    if given_verdict.always is not None:
        assert with_score.outcome is without_score.outcome is given_verdict.always
        assert with_score.source is without_score.source is DecisionSource.RULES
        assert with_score.reasons == without_score.reasons == given_verdict.always_reasons


@given(verdicts | st.none(), amounts, uses, st.sampled_from(FallbackReason))
def test_only_a_hard_rule_approves_beyond_the_limits_without_a_score(
    given_verdict: Verdict | None, amount: int, used: StandInUse, why: FallbackReason
) -> None:
    conclusion = JUDGE.without_score(why, amount, given_verdict, used)
    within = LIMITS.allow(amount, used)
    hard = given_verdict is not None and given_verdict.always is Outcome.APPROVE
    assert conclusion.outcome is not Outcome.APPROVE or within or hard


@given(verdicts | st.none(), amounts, uses, st.sampled_from(FallbackReason))
def test_every_conclusion_without_a_score_says_why_and_by_whom(
    given_verdict: Verdict | None, amount: int, used: StandInUse, why: FallbackReason
) -> None:
    conclusion = JUDGE.without_score(why, amount, given_verdict, used)
    assert conclusion.fallback_reason is why
    assert conclusion.reasons
    assert conclusion.source is not DecisionSource.MODEL
    assert conclusion.confidence is conclusion.expected_cost_minor is None


@given(st.floats(0.0, 1.0), amounts, verdicts)
def test_a_conclusion_from_a_score_is_no_fallback(probability: float, amount: int, given_verdict: Verdict) -> None:
    conclusion = JUDGE.with_score(score(probability), amount, given_verdict)
    assert conclusion.fallback_reason is None
    if given_verdict.always is None:
        assert conclusion.source is DecisionSource.MODEL
        assert conclusion.outcome is judge(probability, amount, JUDGE.costs).outcome


def test_rules_that_block_where_the_model_approves_are_told() -> None:
    assert JUDGE.with_score(score(0.001), 1_000, verdict(Outcome.BLOCK)).reasons == (
        ReasonCode.LOW_RISK,
        ReasonCode.MODEL_RULE_DISAGREE,
    )
    assert JUDGE.with_score(score(0.001), 1_000, verdict(Outcome.REVIEW)).reasons == (ReasonCode.LOW_RISK,)


def test_what_is_not_approved_is_explained_by_what_added_most() -> None:
    told = [FEATURES.index(name) for name in ("merchant_risk_7d", "card_count_1d", "amount")]
    log_odds = [1.0, 3.0, -2.0, 4.0, 5.0]  # and of all others, and of the typical transaction
    looked_at = verdict(Outcome.REVIEW)
    blocked, approved = (
        JUDGE.with_score(replace(score(probability), told=told, log_odds=log_odds), 1_000, looked_at).reasons
        for probability in (0.99, 0.001)
    )
    assert blocked == (ReasonCode.HIGH_RISK, ReasonCode.HIGH_VELOCITY, ReasonCode.MERCHANT_RISK)
    assert approved == (ReasonCode.LOW_RISK,)


def test_a_conclusion_from_a_score_tells_its_confidence_and_credibility() -> None:
    certainty = Certainty(legitimate=0.4, fraud=0.03, approvable=True, blockable=True)
    concluded = JUDGE.with_score(replace(score(0.001), certainty=certainty), 1_000, NO_HIT)
    assert (concluded.confidence, concluded.credibility) == (0.97, 0.4)


def test_a_hard_rule_against_the_model_has_no_confidence_of_the_model() -> None:
    conclusion = JUDGE.with_score(score(0.001), 1_000, verdict(Outcome.BLOCK, always=Outcome.BLOCK))
    assert conclusion.confidence is conclusion.expected_cost_minor is None


def test_rules_stand_in_where_none_of_them_hits() -> None:
    conclusion = JUDGE.without_score(FallbackReason.RESPONSE_TIMEOUT, 5_000, NO_HIT, NONE_USED)
    assert (conclusion.outcome, conclusion.source) == (Outcome.APPROVE, DecisionSource.STAND_IN)
    assert conclusion.reasons == (ReasonCode.NO_RULE_HIT,)


@pytest.mark.parametrize("outcome", [Outcome.BLOCK, Outcome.REVIEW])
def test_rules_that_do_not_approve_need_no_limit(outcome: Outcome) -> None:
    conclusion = JUDGE.without_score(FallbackReason.CONSUMER_LAG, 5_000, verdict(outcome), ALL_USED)
    assert (conclusion.outcome, conclusion.source) == (outcome, DecisionSource.RULES)


def test_the_safe_default_decides_beyond_the_limits() -> None:
    conclusion = JUDGE.without_score(FallbackReason.RESPONSE_TIMEOUT, 15_001, NO_HIT, NONE_USED)
    assert (conclusion.outcome, conclusion.source) == (Outcome.REVIEW, DecisionSource.SAFE_DEFAULT)
    assert conclusion.reasons == (ReasonCode.STAND_IN_LIMIT, ReasonCode.SAFE_DEFAULT)


def test_a_card_that_used_its_limits_up_is_not_approved_by_the_safe_default_either() -> None:
    conclusion = JUDGE.without_score(FallbackReason.RESPONSE_TIMEOUT, 100, NO_HIT, ALL_USED)
    assert (conclusion.outcome, conclusion.source) == (Outcome.REVIEW, DecisionSource.SAFE_DEFAULT)


@pytest.mark.parametrize(("amount", "outcome"), [(1_999, Outcome.APPROVE), (2_000, Outcome.REVIEW)])
def test_the_safe_default_decides_where_rules_cannot_be_evaluated(amount: int, outcome: Outcome) -> None:
    conclusion = JUDGE.without_score(FallbackReason.RULES_FAILED, amount, None, NONE_USED)
    assert (conclusion.outcome, conclusion.source) == (outcome, DecisionSource.SAFE_DEFAULT)
    assert conclusion.reasons == (ReasonCode.RULE_FAILED, ReasonCode.SAFE_DEFAULT)


@pytest.mark.parametrize("outcome", Outcome)
def test_a_test_token_forces_its_outcome(outcome: Outcome) -> None:
    conclusion = forced_conclusion(f"tok_test_{outcome}")
    assert conclusion is not None
    assert (conclusion.outcome, conclusion.reasons) == (outcome, (ReasonCode.SANDBOX,))


@pytest.mark.parametrize("token", ["tok_1", "tok_test_", "tok_test_other", "tok_test_slow"])
def test_any_other_token_forces_none(token: str) -> None:
    assert forced_conclusion(token) is None


def test_every_test_token_has_the_prefix_of_test_tokens() -> None:
    assert all(token.startswith(TEST_TOKEN_PREFIX) for token in FORCED_OUTCOMES | FORCED_FALLBACKS)
