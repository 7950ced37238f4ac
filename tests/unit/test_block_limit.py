"""The block limit: a wave of blocks goes to people, and what is usual does not."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.block_limit import BlockLimit, BlockLimitPolicy
from rules.decision import DecisionSource, Outcome, ReasonCode
from rules.judgement import Conclusion

POLICY = BlockLimitPolicy(max_share=0.25, window_seconds=60.0, least_payments=40)


def concluded(outcome: Outcome) -> Conclusion:
    return Conclusion(
        outcome=outcome,
        source=DecisionSource.MODEL,
        reasons=(ReasonCode.HIGH_RISK,),
        confidence=0.9,
        expected_cost_minor=7,
    )


def admitted(limit: BlockLimit, blocks: Sequence[bool], *, begin: float = 0.0, apart: float = 0.1) -> list[Outcome]:
    outcomes = [Outcome.BLOCK if each else Outcome.APPROVE for each in blocks]
    return [limit.admit(concluded(each), begin + apart * n).outcome for n, each in enumerate(outcomes)]


def every(number: int, count: int) -> list[bool]:
    return [n % number == 0 for n in range(count)]


def test_what_is_below_the_share_is_blocked() -> None:
    assert admitted(BlockLimit(POLICY), every(5, 2000)).count(Outcome.REVIEW) == 0


def test_a_wave_goes_to_people_once_enough_is_seen_and_for_as_long_as_it_lasts() -> None:
    limit = BlockLimit(POLICY)
    outcomes = admitted(limit, [True] * 1000)
    assert outcomes == [Outcome.BLOCK] * 39 + [Outcome.REVIEW] * 961


def test_a_review_in_place_of_a_block_says_so_and_claims_no_confidence() -> None:
    limit = BlockLimit(POLICY)
    admitted(limit, [True] * 100)
    made = limit.admit(concluded(Outcome.BLOCK), 10.0)
    assert made.reasons == (ReasonCode.HIGH_RISK, ReasonCode.BLOCK_LIMIT)
    assert (made.confidence, made.expected_cost_minor, made.source) == (None, None, DecisionSource.MODEL)


def test_after_the_wave_blocks_are_blocks_again() -> None:
    limit = BlockLimit(POLICY)
    admitted(limit, [True] * 200)
    calm = admitted(limit, every(20, 2000), begin=20.0)
    assert calm[0] is Outcome.REVIEW
    assert calm[-20] is Outcome.BLOCK


def test_a_share_that_swings_about_the_bound_does_not_switch_by_turns() -> None:
    limit = BlockLimit(POLICY)
    admitted(limit, [True] * 200)
    swinging = admitted(limit, [n // 100 % 2 == 0 and n % 3 == 0 for n in range(3000)], begin=20.0)
    assert Outcome.BLOCK not in swinging


@given(st.lists(st.tuples(st.sampled_from(Outcome), st.floats(0, 30)), max_size=300))
def test_only_blocks_are_ever_changed_and_only_to_reviews(history: list[tuple[Outcome, float]]) -> None:
    limit, now = BlockLimit(POLICY), 0.0
    for outcome, pause in history:
        now += pause
        made = limit.admit(concluded(outcome), now)
        assert made == concluded(outcome) or (outcome is Outcome.BLOCK and made.outcome is Outcome.REVIEW)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 10)), max_size=300))
def test_below_the_least_payments_nothing_is_limited(history: list[tuple[bool, float]]) -> None:
    limit, now = BlockLimit(BlockLimitPolicy(least_payments=301)), 0.0
    for blocked, pause in history:
        now += pause
        outcome = Outcome.BLOCK if blocked else Outcome.APPROVE
        assert limit.admit(concluded(outcome), now).outcome is outcome


@pytest.mark.parametrize(
    "changes", [{"max_share": 0}, {"max_share": 1.1}, {"window_seconds": 0}, {"least_payments": 0}]
)
def test_a_limit_that_cannot_be_kept_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"max_share|window"):
        BlockLimitPolicy(**changes)
