"""The price of a review moves within bounds, for a reason, and no more often than it may."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.review_price import (
    CapacityPolicy,
    PriceReason,
    ReviewLoad,
    ReviewPrice,
    load_of,
    move_of,
)

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BASE = 300
POLICY = CapacityPolicy(most_review_minor=3000)
HOUR = 3600.0
SHORT = ReviewLoad(waiting=100, arrived=50, handled=10, window_seconds=HOUR, due_seconds=4 * HOUR)
ROOM = replace(SHORT, waiting=1, arrived=10)
BETWEEN = replace(SHORT, waiting=12, arrived=10)  # 1.2 of 4 hours
LOADS = st.builds(
    ReviewLoad,
    waiting=st.integers(0, 10_000),
    arrived=st.integers(0, 10_000),
    handled=st.integers(0, 10_000),
    window_seconds=st.just(HOUR),
    due_seconds=st.floats(60, 1e6),
)


def test_it_rises_while_cases_would_wait_too_long_and_falls_while_there_is_room() -> None:
    risen = move_of(POLICY, BASE, ReviewPrice(minor=BASE), SHORT, NOW)
    assert risen is not None
    assert (risen.before_minor, risen.after_minor, risen.reason) == (300, 450, PriceReason.SHORT)
    fallen = move_of(POLICY, BASE, ReviewPrice(minor=450), ROOM, NOW)
    assert fallen is not None
    assert (fallen.after_minor, fallen.reason) == (300, PriceReason.ROOM)
    assert move_of(POLICY, BASE, ReviewPrice(minor=450), BETWEEN, NOW) is None


def test_it_rests_between_two_moves_to_the_last_moment() -> None:
    moved = ReviewPrice(minor=450, moved_at=NOW)
    dwell = timedelta(minutes=POLICY.dwell_minutes)
    assert move_of(POLICY, BASE, moved, SHORT, NOW + dwell - timedelta(microseconds=1)) is None
    assert move_of(POLICY, BASE, moved, SHORT, NOW + dwell) is not None


def test_bounds_hold_at_once_when_they_are_changed() -> None:
    moved = ReviewPrice(minor=2000, moved_at=NOW)
    tighter = replace(POLICY, most_review_minor=1000)
    lowered = move_of(tighter, BASE, moved, SHORT, NOW)
    assert lowered is not None
    assert (lowered.after_minor, lowered.reason) == (1000, PriceReason.BOUNDS)
    off = move_of(replace(POLICY, most_review_minor=0), BASE, moved, SHORT, NOW)
    assert off is not None
    assert off.after_minor == BASE


def test_where_nobody_works_a_wait_has_no_end_unless_nothing_waits() -> None:
    nobody = replace(SHORT, handled=0)
    assert nobody.expected_wait == inf
    assert replace(nobody, waiting=0, arrived=0).expected_wait == 0.0
    assert SHORT.expected_wait == 14 * HOUR


def test_the_time_that_cases_have_is_that_of_those_that_wait() -> None:
    load = load_of([(30, 4 * HOUR), (10, 2 * HOUR), (0, 1.0)], 5, 4, HOUR, 9 * HOUR)
    assert (load.waiting, load.due_seconds) == (40, 3.5 * HOUR)
    assert load_of([(0, 1.0)], 5, 4, HOUR, 9 * HOUR).due_seconds == 9 * HOUR


def test_shares_must_leave_room_between_them() -> None:
    with pytest.raises(ValueError, match="fall_to_share"):
        CapacityPolicy(rise_from_share=0.3, fall_to_share=0.3)


@given(
    st.builds(CapacityPolicy, most_review_minor=st.integers(0, 10_000), step=st.floats(0.01, 4)),
    st.integers(1, 2000),
    st.lists(st.tuples(LOADS, st.integers(0, 60)), max_size=30),
)
def test_whatever_comes_it_stays_within_bounds_and_moves_for_a_reason_and_not_too_often(
    policy: CapacityPolicy, base: int, looks: list[tuple[ReviewLoad, int]]
) -> None:
    price, now, moves = ReviewPrice(minor=base), NOW, []
    for load, minutes in looks:
        now += minutes * MINUTE
        move = move_of(policy, base, price, load, now)
        if move is None:
            continue
        moves.append(move)
        assert move.before_minor == price.minor != move.after_minor
        assert base <= move.after_minor <= max(base, policy.most_review_minor)
        wait, due = load.expected_wait, load.due_seconds
        if move.after_minor > move.before_minor:
            assert (move.reason, wait > policy.rise_from_share * due) == (PriceReason.SHORT, True)
        else:
            assert (move.reason, wait < policy.fall_to_share * due) == (PriceReason.ROOM, True)
        price = move.price
    dwell = timedelta(minutes=policy.dwell_minutes)
    assert all(later.at - earlier.at >= dwell for earlier, later in pairwise(moves))


@given(st.integers(1, 2000), st.integers(2001, 10_000))
def test_steadily_short_it_comes_to_its_bound_and_with_room_back_again(base: int, most: int) -> None:
    policy, price, now = replace(POLICY, most_review_minor=most), ReviewPrice(minor=base), NOW
    for load, end in ((SHORT, most), (ROOM, base)):
        for _ in range(60):
            now += 10 * MINUTE
            if (move := move_of(policy, base, price, load, now)) is not None:
                price = move.price
        assert price.minor == end
