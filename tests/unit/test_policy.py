"""The cost policy: the cheapest outcome, and a person where the cheapest is not sure enough."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.score import Certainty
from rules.decision import Outcome, ReasonCode
from rules.policy import CostPolicy, judge

POLICY = CostPolicy(
    fraud_loss=1.0,
    fraud_fee_minor=0,
    wrong_block_share=0.0,
    wrong_block_minor=1_000,
    review_minor=100,
    approve_confidence=0.90,
    block_confidence=0.80,
)
SURE_ENOUGH = replace(POLICY, approve_confidence=0.0, block_confidence=0.0)
HARSHNESS = {Outcome.APPROVE: 0, Outcome.REVIEW: 1, Outcome.BLOCK: 2}

probabilities = st.floats(0.0, 1.0)
amounts = st.integers(1, 10**12)
costs = st.integers(0, 10**6)
policies = st.builds(
    CostPolicy,
    fraud_loss=st.floats(0.0, 2.0),
    fraud_fee_minor=costs,
    wrong_block_share=st.floats(0.0, 1.0),
    wrong_block_minor=costs,
    review_minor=costs,
    approve_confidence=probabilities,
    block_confidence=probabilities,
)


@given(probabilities, amounts, policies)
def test_the_cheapest_of_the_three_is_chosen_where_confidence_suffices(
    probability: float, amount: int, policy: CostPolicy
) -> None:
    sure = replace(policy, approve_confidence=0.0, block_confidence=0.0)
    costs = {
        Outcome.APPROVE: sure.approve_cost(probability, amount),
        Outcome.BLOCK: sure.block_cost(probability, amount),
        Outcome.REVIEW: float(sure.review_minor),
    }
    judged = judge(probability, amount, sure)
    assert costs[judged.outcome] == min(costs.values())
    assert judged.expected_cost_minor == round(min(costs.values()))


@given(probabilities, amounts, policies)
def test_an_automatic_outcome_is_as_sure_as_its_level_asks(probability: float, amount: int, policy: CostPolicy) -> None:
    judged = judge(probability, amount, policy)
    level = {Outcome.APPROVE: policy.approve_confidence, Outcome.BLOCK: policy.block_confidence, Outcome.REVIEW: 0.0}
    right = {Outcome.APPROVE: 1.0 - probability, Outcome.BLOCK: probability, Outcome.REVIEW: judged.confidence}
    assert judged.confidence == right[judged.outcome] >= level[judged.outcome]


@given(probabilities, probabilities, amounts, policies)
def test_more_risk_never_moves_an_outcome_towards_approval(
    one: float, other: float, amount: int, policy: CostPolicy
) -> None:
    lower, higher = sorted((one, other))
    gentle, harsh = judge(lower, amount, policy).outcome, judge(higher, amount, policy).outcome
    assert HARSHNESS[gentle] <= HARSHNESS[harsh]


def test_approval_exactly_at_its_confidence_is_automatic() -> None:
    judged = judge(0.10, 500, POLICY)
    assert (judged.outcome, judged.reason) == (Outcome.APPROVE, ReasonCode.LOW_RISK)


def test_approval_just_below_its_confidence_goes_to_a_person() -> None:
    judged = judge(0.1001, 500, POLICY)
    assert (judged.outcome, judged.reason) == (Outcome.REVIEW, ReasonCode.LOW_CONFIDENCE)


def test_a_block_exactly_at_its_confidence_is_automatic() -> None:
    policy = replace(POLICY, review_minor=200)
    judged = judge(0.80, 10_000, policy)
    assert (judged.outcome, judged.reason) == (Outcome.BLOCK, ReasonCode.HIGH_RISK)


def test_a_block_just_below_its_confidence_goes_to_a_person() -> None:
    judged = judge(0.7999, 10_000, replace(POLICY, review_minor=300))
    assert (judged.outcome, judged.reason) == (Outcome.REVIEW, ReasonCode.LOW_CONFIDENCE)


def test_a_review_that_costs_the_same_is_not_asked_for() -> None:
    assert judge(0.10, 1_000, POLICY).outcome is Outcome.APPROVE
    assert judge(0.10, 1_001, POLICY).reason is ReasonCode.REVIEW_CHEAPEST


def test_approval_wins_over_a_block_at_the_same_cost() -> None:
    policy = replace(SURE_ENOUGH, review_minor=10_000)
    assert judge(0.5, 1_000, policy).outcome is Outcome.APPROVE
    assert judge(0.5, 1_001, policy).outcome is Outcome.BLOCK


certainties = st.builds(
    Certainty,
    legitimate=st.floats(1e-6, 1.0),
    fraud=st.floats(1e-6, 1.0),
    approvable=st.booleans(),
    blockable=st.booleans(),
)


@given(probabilities, amounts, policies, certainties)
def test_only_what_is_sure_enough_is_automatic_and_then_the_cheapest(
    probability: float, amount: int, policy: CostPolicy, certainty: Certainty
) -> None:
    judged = judge(probability, amount, policy, certainty)
    may = {Outcome.APPROVE: certainty.approvable, Outcome.BLOCK: certainty.blockable, Outcome.REVIEW: True}
    assert may[judged.outcome]
    if judged.outcome is not Outcome.REVIEW:
        assert judged.outcome is judge(probability, amount, policy).outcome
        assert certainty.credibility >= policy.least_credibility


@given(probabilities, amounts, policies, certainties)
def test_confidence_and_credibility_are_conformal_where_enough_is_known(
    probability: float, amount: int, policy: CostPolicy, certainty: Certainty
) -> None:
    judged = judge(probability, amount, policy, certainty)
    second, largest = sorted((certainty.legitimate, certainty.fraud))
    assert (judged.confidence, judged.credibility) == (1.0 - second, largest)


def sure(**changes: float) -> Certainty:
    known = {"legitimate": 0.5, "fraud": 0.01, "approvable": True, "blockable": True}
    return Certainty(**known | changes)


@pytest.mark.parametrize(("probability", "which"), [(0.001, "approvable"), (0.99, "blockable")])
def test_what_would_err_too_often_goes_to_a_person(probability: float, which: str) -> None:
    assert judge(probability, 5_000, POLICY, sure()).outcome is not Outcome.REVIEW
    judged = judge(probability, 5_000, POLICY, sure(**{which: False}))
    assert (judged.outcome, judged.reason) == (Outcome.REVIEW, ReasonCode.LOW_CONFIDENCE)


@pytest.mark.parametrize("probability", [0.001, 0.3, 0.99])
def test_what_is_like_neither_class_goes_to_a_person(probability: float) -> None:
    judged = judge(probability, 5_000, POLICY, sure(legitimate=0.0099, fraud=0.0099))
    assert (judged.outcome, judged.reason) == (Outcome.REVIEW, ReasonCode.OUT_OF_DISTRIBUTION)
    assert judge(probability, 5_000, POLICY, sure(legitimate=0.01)).reason is not ReasonCode.OUT_OF_DISTRIBUTION


@given(probabilities, amounts, policies)
def test_what_it_wants_is_what_it_chooses_where_too_little_is_known(
    probability: float, amount: int, policy: CostPolicy
) -> None:
    assert policy.wanted(probability, amount) == judge(probability, amount, policy).outcome


@given(amounts)
def test_no_risk_is_approved_and_certain_fraud_blocked(amount: int) -> None:
    assert judge(0.0, amount, CostPolicy()).outcome is Outcome.APPROVE
    assert judge(1.0, amount, CostPolicy()).outcome is Outcome.BLOCK
    assert judge(0.0, amount, CostPolicy()).expected_cost_minor == judge(1.0, amount, CostPolicy()).expected_cost_minor


@pytest.mark.parametrize(
    "wrong",
    [{"fraud_loss": -0.1}, {"review_minor": -1}, {"fraud_loss": float("inf")}, {"wrong_block_share": float("nan")}],
    ids=str,
)
def test_a_cost_that_is_negative_or_endless_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cost"):
        replace(POLICY, **wrong)


@pytest.mark.parametrize("wrong", [{"most_fraud_approved": 0.0}, {"least_credibility": 1.0}], ids=str)
def test_a_share_or_a_credibility_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"level|credibility"):
        replace(POLICY, **wrong)


@pytest.mark.parametrize("level", [-0.1, 1.1, 90.0, float("nan")])
def test_a_confidence_that_is_no_probability_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        replace(POLICY, approve_confidence=level)
