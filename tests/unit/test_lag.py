"""Consumer lag with hysteresis."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.lag import LagGate, LagPolicy

POLICY = LagPolicy(enter=100, leave=10, dwell_seconds=2.0)


def behind_since(now: float) -> LagGate:
    gate = LagGate(POLICY)
    assert gate.is_behind(100, now)
    return gate


@pytest.mark.parametrize(("lag", "behind"), [(99, False), (100, True)])
def test_a_lane_is_behind_from_the_bound_on(lag: int, behind: bool) -> None:
    assert LagGate(POLICY).is_behind(lag, 0.0) is behind


@pytest.mark.parametrize(("lag", "behind"), [(11, True), (10, False)])
def test_a_lane_has_caught_up_at_the_lower_bound(lag: int, behind: bool) -> None:
    assert behind_since(0.0).is_behind(lag, 60.0) is behind


@pytest.mark.parametrize(("now", "behind"), [(1.999, True), (2.0, False)])
def test_a_lane_stays_behind_for_a_while_once_it_is(now: float, behind: bool) -> None:
    assert behind_since(0.0).is_behind(0, now) is behind


def test_between_the_bounds_a_lane_stays_as_it_is() -> None:
    fresh = LagGate(POLICY)
    assert not any(fresh.is_behind(lag, now) for now, lag in enumerate([50, 99, 11, 99]))
    late = behind_since(0.0)
    assert all(late.is_behind(lag, now) for now, lag in enumerate([50, 99, 11, 99], start=10))


@given(st.lists(st.tuples(st.integers(0, 200), st.floats(0.0, 1.0))))
def test_whatever_the_lag_each_spell_lasts_its_dwell(history: list[tuple[int, float]]) -> None:
    gate, now, entered = LagGate(POLICY), 0.0, None
    for lag, passed in history:
        now += passed
        behind = gate.is_behind(lag, now)
        if behind and entered is None:
            assert lag >= POLICY.enter
            entered = now
        elif not behind and entered is not None:
            assert now - entered >= POLICY.dwell_seconds
            assert lag <= POLICY.leave
            entered = None
