"""Pacing: steady, whatever the ticks are like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.operating.pacing import TokenBucket

ticks = st.lists(st.floats(0.0, 0.9), min_size=1, max_size=50)
rates = st.floats(10.0, 5_000.0)  # so that no tick earns more than a bucket holds


@given(rates, ticks)
def test_no_more_is_sent_than_was_earned_and_no_less_than_all_but_one(rate: float, pauses: list[float]) -> None:
    bucket = TokenBucket(rate, now=0.0)
    now, sent = 0.0, 0
    for pause in pauses:
        now += pause
        sent += bucket.take(now)
    earned = now * rate
    assert earned - 1.0 - 1e-6 <= sent <= earned + 1e-6


def test_a_long_stall_is_made_up_for_by_one_second_only() -> None:
    bucket = TokenBucket(100.0, now=0.0)
    assert bucket.take(3600.0) == 100
    assert bucket.take(3600.0) == 0


def test_what_is_not_taken_is_kept() -> None:
    bucket = TokenBucket(100.0, now=0.0)
    assert bucket.take(0.5, most=20) == 20
    assert bucket.take(0.5) == 30


def test_less_than_one_a_second_comes_too() -> None:
    bucket = TokenBucket(0.5, now=0.0)
    assert [bucket.take(second) for second in range(1, 7)] == [0, 1, 0, 1, 0, 1]


def test_a_rate_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        TokenBucket(0.0, now=0.0)
