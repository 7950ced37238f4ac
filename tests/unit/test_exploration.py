"""Exploration: few blocks go through, by a draw that repeats itself, within bounds that no restart widens."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from rules.decision import DecisionSource, FallbackReason, Outcome, ReasonCode
from rules.exploration import Exploration, ExplorationPolicy
from rules.judgement import Conclusion

MIDNIGHT = 20_000 * 86_400.0
EVENING = MIDNIGHT + 0.9 * 86_400
POLICY = ExplorationPolicy(
    share=0.1, outcome=Outcome.APPROVE, max_per_day=10_000, max_sum_minor_per_day=10**9, salt="hush"
)
BLOCK = Conclusion(
    outcome=Outcome.BLOCK,
    source=DecisionSource.MODEL,
    reasons=(ReasonCode.HIGH_RISK,),
    confidence=0.95,
    expected_cost_minor=70,
)


def exploration(policy: ExplorationPolicy = POLICY, started: float = MIDNIGHT) -> Exploration:
    return Exploration(policy, started)


def admitted(
    by: Exploration, count: int, *, amount: int = 1_000, card_count: int = 0, now: float = EVENING
) -> list[Conclusion]:
    return [by.admit(BLOCK, f"t-{n}", amount, card_count=card_count, now=now) for n in range(count)]


def explored(made: list[Conclusion]) -> int:
    return sum(each.outcome is not Outcome.BLOCK for each in made)


def test_the_stated_share_of_blocks_goes_through() -> None:
    assert explored(admitted(exploration(), 10_000)) == pytest.approx(1_000, abs=100)


def test_an_explored_block_says_so_and_how_likely_that_was() -> None:
    through = next(each for each in admitted(exploration(), 1_000) if each.outcome is Outcome.APPROVE)
    assert through.reasons == (ReasonCode.HIGH_RISK, ReasonCode.EXPLORATION)
    assert (through.source, through.propensity) == (DecisionSource.MODEL, 0.1)
    assert (through.confidence, through.expected_cost_minor) == (None, None)


def test_a_block_that_the_draw_passed_by_says_how_likely_that_was() -> None:
    stayed = next(each for each in admitted(exploration(), 1_000) if each.outcome is Outcome.BLOCK)
    assert stayed == structs.replace(BLOCK, propensity=0.9)


def test_the_same_payment_is_drawn_again_the_same() -> None:
    assert admitted(exploration(), 500) == admitted(exploration(), 500)


def test_another_salt_draws_others() -> None:
    ids = [f"t-{n}" for n in range(1_000)]
    other = replace(POLICY, salt="other")
    assert {each for each in ids if POLICY.draws(each)} != {each for each in ids if other.draws(each)}


def test_nothing_is_explored_by_default() -> None:
    assert set(admitted(exploration(ExplorationPolicy()), 1_000)) == {BLOCK}


@pytest.mark.parametrize(
    "other",
    [
        structs.replace(BLOCK, source=DecisionSource.RULES),  # a hard rule's
        structs.replace(BLOCK, source=DecisionSource.RULES, fallback_reason=FallbackReason.MODEL_STALE),
        structs.replace(BLOCK, source=DecisionSource.SAFE_DEFAULT, fallback_reason=FallbackReason.RULES_FAILED),
        structs.replace(BLOCK, outcome=Outcome.REVIEW),
        structs.replace(BLOCK, outcome=Outcome.APPROVE),
    ],
    ids=lambda each: f"{each.source} {each.outcome}",
)
def test_only_the_models_own_blocks_are_explored(other: Conclusion) -> None:
    by = exploration()
    made = [by.admit(other, f"t-{n}", 1_000, card_count=0, now=EVENING) for n in range(200)]
    assert set(made) == {other}


def test_the_largest_amount_is_explored_and_one_more_is_not() -> None:
    assert explored(admitted(exploration(), 500, amount=POLICY.max_amount_minor)) > 0
    assert set(admitted(exploration(), 500, amount=POLICY.max_amount_minor + 1)) == {BLOCK}


def test_a_card_that_has_had_its_approvals_is_blocked() -> None:
    assert set(admitted(exploration(), 500, card_count=POLICY.max_per_card)) == {BLOCK}


def test_a_day_has_an_end_of_payments() -> None:
    bounded = exploration(replace(POLICY, max_per_day=10))
    assert explored(admitted(bounded, 5_000)) == 9  # of the nine tenths of the day that are over
    assert explored(admitted(bounded, 5_000, now=EVENING + 86_400)) == 9


def test_a_day_has_an_end_of_money() -> None:
    bounded = exploration(replace(POLICY, max_sum_minor_per_day=20_000))
    assert explored(admitted(bounded, 5_000)) == 18


@given(st.lists(st.floats(0, 86_399), min_size=1, max_size=12))
def test_restarts_do_not_widen_a_day(starts: list[float]) -> None:
    policy = replace(POLICY, max_per_day=20)
    starts.sort()
    ends = [*starts[1:], 86_399]
    lives = zip(starts, ends, strict=True)
    through = sum(
        explored(admitted(exploration(policy, MIDNIGHT + begin), 2_000, now=MIDNIGHT + end)) for begin, end in lives
    )
    assert through <= 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"share": 0.11},
        {"share": -0.01},
        {"salt": ""},
        {"outcome": Outcome.BLOCK},
        {"max_amount_minor": -1},
        {"max_per_card": -1},
        {"max_per_day": -1},
        {"max_sum_minor_per_day": -1},
    ],
    ids=str,
)
def test_a_policy_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"explor"):
        replace(POLICY, **wrong)
