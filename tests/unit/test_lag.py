"""Consumer lag with hysteresis."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.lag import LagGate, LagPolicy

POLICY = LagPolicy(enter=100, leave=10, calm_seconds=2.0)


@pytest.mark.parametrize(("lag", "behind"), [(99, False), (100, True)])
def test_a_lane_is_behind_from_the_bound_on(lag: int, behind: bool) -> None:
    assert LagGate(POLICY).is_behind(lag, 0.0) is behind


@pytest.mark.parametrize(("lag", "behind"), [(11, True), (10, False)])
def test_a_lane_has_caught_up_when_it_was_at_the_lower_bound_for_a_while(lag: int, behind: bool) -> None:
    gate = LagGate(POLICY)
    assert [gate.is_behind(each, now) for each, now in ((100, 0.0), (lag, 1.0), (lag, 2.9))] == [True] * 3
    assert gate.is_behind(lag, 3.0) is behind


def test_a_lag_that_grows_steadily_is_seen_before_it_is_there() -> None:
    policy = replace(POLICY, ahead_seconds=5.0)
    grows = ((each, each / 10) for each in range(0, 200, 2))  # 10 a second
    gates = LagGate(policy), LagGate(POLICY)
    seen = [[gate.is_behind(lag, now) for gate in gates] for lag, now in grows]
    first, second = (next(n for n, behind in enumerate(seen) if behind[each]) for each in (0, 1))
    assert 2.0 < (second - first) * 0.2 <= 5.0


def test_a_jump_counts_no_more_than_twice() -> None:
    gate = LagGate(replace(POLICY, ahead_seconds=5.0))
    gate.is_behind(0, 0.0)
    assert not gate.is_behind(49, 0.001)


def test_a_lag_that_shrinks_is_not_taken_for_less_than_it_is() -> None:
    gate = LagGate(replace(POLICY, ahead_seconds=5.0))
    assert all(gate.is_behind(1000 - 100 * second, float(second)) for second in range(10))


@pytest.mark.parametrize("wrong", [{"leave": 100}, {"calm_seconds": -1.0}, {"ahead_seconds": -1.0}], ids=str)
def test_a_policy_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|negative"):
        replace(POLICY, **wrong)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 64).map(lambda ticks: ticks / 64))))
def test_whatever_the_lag_a_lane_that_is_not_behind_is_below_the_bound(history: list[tuple[int, float]]) -> None:
    gate, now = LagGate(replace(POLICY, ahead_seconds=3.0)), 0.0
    for lag, passed in history:
        now += passed
        behind = gate.is_behind(lag, now)
        assert behind or lag < POLICY.enter
        if behind and lag <= POLICY.leave:
            assert gate.is_behind(lag, now + POLICY.calm_seconds) is False
            return
