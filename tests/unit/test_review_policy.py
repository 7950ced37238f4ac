"""Which queue a decision goes to, by when it is due, what holds then, and what goes first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import e
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from support.wire_samples import a_decision, a_revision

from rules.decision import DecisionSource, Outcome, ReasonCode
from rules.policy import CostPolicy
from rules.review_case import Case, Reviewer, VerdictReason
from rules.review_policy import ReviewPolicy, ReviewQueue, Sla, re_score_of, sla
from rules.safe_default import AmountBand

NOW = datetime(2026, 1, 2, 4, tzinfo=UTC)
COSTS = CostPolicy()
REST = ReviewQueue(name="rest")


def a_case(policy: ReviewPolicy | None = None, **changes: Any) -> Case:
    return (policy or ReviewPolicy()).open(structs.replace(a_decision(), **changes), COSTS, NOW)


@pytest.mark.parametrize(
    "queue",
    [
        ReviewQueue(name="large", from_minor=12_345),
        ReviewQueue(name="small", below_minor=12_346),
        ReviewQueue(name="euro", currencies=("CHF", "EUR")),
        ReviewQueue(name="shop", merchants=("m-1234",)),
        ReviewQueue(name="dark", sources=(DecisionSource.STAND_IN,)),
        ReviewQueue(name="fast", reasons=(ReasonCode.MERCHANT_RISK, ReasonCode.HIGH_VELOCITY)),
    ],
    ids=lambda queue: queue.name,
)
def test_a_queue_takes_what_all_its_conditions_hold_for(queue: ReviewQueue) -> None:
    assert a_case(ReviewPolicy(queues=(queue, REST))).queue == queue.name


@pytest.mark.parametrize(
    "queue",
    [
        ReviewQueue(name="large", from_minor=12_346),
        ReviewQueue(name="small", below_minor=12_345),
        ReviewQueue(name="franc", currencies=("CHF",)),
        ReviewQueue(name="shop", merchants=("m-9",)),
        ReviewQueue(name="model", sources=(DecisionSource.MODEL,)),
        ReviewQueue(name="risk", reasons=(ReasonCode.MERCHANT_RISK,)),
        ReviewQueue(name="both", from_minor=1, currencies=("CHF",)),
    ],
    ids=lambda queue: queue.name,
)
def test_a_queue_leaves_what_one_of_its_conditions_does_not_hold_for(queue: ReviewQueue) -> None:
    assert a_case(ReviewPolicy(queues=(queue, REST))).queue == "rest"


def test_what_holds_in_the_end_is_fixed_when_a_case_is_opened() -> None:
    queue = ReviewQueue(
        due_minutes=100,
        warn_after_share=0.5,
        defaults=(AmountBand(below_minor=12_345, outcome=Outcome.APPROVE), AmountBand(outcome=Outcome.BLOCK)),
    )
    policy = ReviewPolicy(queues=(queue,), two_pairs_from_minor=12_345)
    large, small = a_case(policy), a_case(policy, amount_minor=12_344)
    assert (large.default, large.eyes) == (Outcome.BLOCK, 2)
    assert (small.default, small.eyes) == (Outcome.APPROVE, 1)
    assert large.due_at == NOW + timedelta(minutes=100)
    assert large.warn_at == NOW + timedelta(minutes=50)


def test_blocks_are_reviewed_from_the_amount_that_is_set_and_stay_blocks() -> None:
    policy = ReviewPolicy(blocked_from_minor=1_000)
    block = structs.replace(a_decision(), outcome=Outcome.BLOCK, amount_minor=1_000)
    assert policy.wants(block)
    assert policy.open(block, COSTS, NOW).default is Outcome.BLOCK
    assert not policy.wants(structs.replace(block, amount_minor=999))
    assert not ReviewPolicy().wants(block)


@pytest.mark.parametrize(("outcome", "wanted"), [(Outcome.REVIEW, True), (Outcome.APPROVE, False)])
def test_reviews_are_wanted_and_approvals_are_not(outcome: Outcome, wanted: bool) -> None:
    decision = structs.replace(a_decision(), outcome=outcome)
    assert ReviewPolicy(blocked_from_minor=1).wants(decision) is wanted


def test_the_expected_loss_is_that_of_the_cheaper_outcome() -> None:
    assert a_case(risk_score=0.0).expected_loss_minor == 0
    assert a_case(risk_score=0.5).expected_loss_minor == round(COSTS.block_cost(0.5, 12_345))
    assert a_case(risk_score=0.01).expected_loss_minor == round(COSTS.approve_cost(0.01, 12_345))


def test_a_decision_without_a_score_counts_as_the_risk_that_is_set() -> None:
    assert a_case(ReviewPolicy(unknown_risk=0.01), risk_score=None) == a_case(risk_score=0.01)


losses = st.integers(0, 10**9)
minutes = st.floats(1, 10_000)


@given(losses, losses, minutes)
def test_with_equal_time_left_the_larger_loss_goes_first(one: int, other: int, left: float) -> None:
    policy = ReviewPolicy()
    ranks = [policy.rank(_with(loss, left)) for loss in (one, other)]
    assert (ranks[0] <= ranks[1]) or one < other
    assert (ranks[0] >= ranks[1]) or one > other


@given(losses, minutes, minutes)
def test_with_equal_loss_the_earlier_due_goes_first(loss: int, one: float, other: float) -> None:
    policy = ReviewPolicy()
    first, second = _with(loss, one), _with(loss, other)
    assert (policy.rank(first) <= policy.rank(second)) is (first.due_at <= second.due_at)


def test_so_much_time_less_weighs_as_a_loss_e_times_as_large() -> None:
    policy = ReviewPolicy(urgency_minutes=60)
    urgent, costly = _with(999_999, 60), _with(round(1_000_000 * e) - 1, 120)
    assert policy.rank(urgent) == pytest.approx(policy.rank(costly), abs=0.01)


def _with(loss_minor: int, minutes_left: float) -> Case:
    return replace(a_case(), expected_loss_minor=loss_minor, due_at=NOW + timedelta(minutes=minutes_left))


def test_it_is_warned_of_and_breached_at_the_very_moment() -> None:
    case, tick = a_case(), timedelta(microseconds=1)
    assert sla(case, case.warn_at - tick) is Sla.IN_TIME
    assert sla(case, case.warn_at) is Sla.WARNING
    assert sla(case, case.due_at - tick) is Sla.WARNING
    assert sla(case, case.due_at) is Sla.BREACHED


def test_what_was_decided_in_time_stays_in_time() -> None:
    case = a_case()
    decided = case.decided(Reviewer(name="ann"), Outcome.BLOCK, VerdictReason.OTHER, case.warn_at)
    assert sla(decided, case.due_at + timedelta(days=1)) is Sla.WARNING


def test_a_revision_without_an_outcome_says_nothing_of_the_case() -> None:
    assert re_score_of(replace(a_revision(), outcome=None, risk_score=None), COSTS) is None
    said = re_score_of(a_revision(), COSTS)
    assert said is not None
    assert said.expected_loss_minor == round(COSTS.approve_cost(0.01, 12_345))


@pytest.mark.parametrize(
    "changes",
    [
        {"queues": ()},
        {"queues": (ReviewQueue(name="large", from_minor=1),)},
        {"queues": (ReviewQueue(name="a", currencies=("EUR",)), ReviewQueue(name="a"))},
        {"unanswered": Outcome.REVIEW},
    ],
)
def test_a_policy_that_leaves_a_decision_nowhere_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ReviewPolicy(**changes)


@pytest.mark.parametrize(
    "defaults",
    [
        (AmountBand(outcome=Outcome.REVIEW),),
        (AmountBand(below_minor=5, outcome=Outcome.BLOCK),),
        (),
    ],
)
def test_defaults_approve_or_block_every_amount(defaults: tuple[AmountBand, ...]) -> None:
    with pytest.raises(ValueError):
        ReviewQueue(defaults=defaults)
