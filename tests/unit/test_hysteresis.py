"""A switch with two bounds and a time."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.hysteresis import Switch, SwitchPolicy

POLICY = SwitchPolicy(enter=100.0, leave=10.0, calm_seconds=2.0)


def switched_on(now: float = 0.0) -> Switch:
    switch = Switch(POLICY)
    assert switch.is_on(100.0, now)
    return switch


@pytest.mark.parametrize(("value", "on"), [(99.9, False), (100.0, True)])
def test_it_is_on_from_the_upper_bound(value: float, on: bool) -> None:
    assert Switch(POLICY).is_on(value, 0.0) is on


@pytest.mark.parametrize(("value", "on"), [(10.1, True), (10.0, False)])
def test_it_is_off_once_the_value_was_at_the_lower_bound_for_its_time(value: float, on: bool) -> None:
    switch = switched_on()
    switch.is_on(value, 1.0)
    assert switch.is_on(value, 2.999)
    assert switch.is_on(value, 3.0) is on


def test_a_value_that_rises_in_between_starts_the_time_anew() -> None:
    switch = switched_on()
    switch.is_on(0.0, 1.0)
    switch.is_on(11.0, 2.9)
    switch.is_on(0.0, 3.0)
    assert switch.is_on(0.0, 4.9)
    assert not switch.is_on(0.0, 5.0)


@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_what_is_not_known_changes_nothing(unknown: float | None) -> None:
    assert not Switch(POLICY).is_on(unknown, 0.0)
    switch = switched_on()
    assert all(switch.is_on(unknown, float(now)) for now in range(20))
    switch.is_on(0.0, 20.0)
    switch.is_on(unknown, 21.0)
    assert not switch.is_on(0.0, 22.0)


def test_a_value_that_swings_faster_than_its_time_switches_once() -> None:
    switch = Switch(POLICY)
    assert [switch.is_on(200.0 if now % 2 else 0.0, float(now)) for now in range(60)] == [False] + [True] * 59


def test_a_value_that_must_be_held_is_on_after_its_time_and_a_fall_starts_it_anew() -> None:
    switch = Switch(SwitchPolicy(enter=100.0, leave=10.0, calm_seconds=2.0, held_seconds=1.0))
    assert not switch.is_on(100.0, 0.0)
    assert not switch.is_on(99.9, 0.5)
    assert not switch.is_on(100.0, 1.0)
    assert not switch.is_on(None, 1.5)
    assert not switch.is_on(200.0, 1.9)
    assert switch.is_on(100.0, 2.0)
    assert switch.is_on(50.0, 3.0)


def test_what_is_on_again_soon_needs_a_longer_calm() -> None:
    switch, on_since, calms = Switch(replace(POLICY, longest_calm_seconds=30.0)), 0.0, []
    for _ in range(5):
        assert switch.is_on(100.0, on_since)
        calm_since = on_since + 1
        over = next(n for n in range(100) if not switch.is_on(0.0, calm_since + n))
        calms.append(over)
        on_since = calm_since + over + 30.0
    assert calms == [2, 6, 18, 30, 30]
    assert switch.is_on(100.0, on_since + 1)  # it was over for more than 30 s, and all is forgotten
    assert switch.is_on(0.0, on_since + 2)
    assert not switch.is_on(0.0, on_since + 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"leave": 100.0},
        {"leave": float("nan")},
        {"calm_seconds": -1.0},
        {"calm_seconds": float("nan")},
        {"held_seconds": -1.0},
        {"held_seconds": float("nan")},
        {"longest_calm_seconds": -1.0},
        {"longest_calm_seconds": float("nan")},
    ],
    ids=str,
)
def test_bounds_without_room_between_them_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be below|negative"):
        SwitchPolicy(**({"enter": 100.0, "leave": 10.0, "calm_seconds": 2.0} | wrong))


@given(st.lists(st.tuples(st.sampled_from([0.0, 5.0, 50.0, 150.0]), st.integers(0, 64).map(lambda ticks: ticks / 16))))
def test_whatever_comes_it_does_what_a_plain_reading_of_its_policy_says(history: list[tuple[float, float]]) -> None:
    switch, now, seen, on = Switch(POLICY), 0.0, [], False
    for value, passed in history:
        now += passed
        seen.append((now, value))
        if value >= POLICY.enter:
            on = True
        calm = [at for at, _ in seen[1 + max((n for n, (_, v) in enumerate(seen) if v > POLICY.leave), default=-1) :]]
        if on and calm and now - calm[0] >= POLICY.calm_seconds:
            on = False
        assert switch.is_on(value, now) is on
