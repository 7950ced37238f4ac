"""The calm that ends something: longer for what comes back soon."""

from hypothesis import given
from hypothesis import strategies as st

from rules.patience import RETURNS, Patience

FIRST, LONGEST = 15.0, 240.0


def test_each_return_within_the_longest_makes_it_longer_up_to_the_longest() -> None:
    patience, seconds, now = Patience(FIRST, LONGEST), [], 0.0
    for _ in range(5):
        patience.begins(now)
        seconds.append(patience.seconds)
        patience.ends(now + 20)
        now += 20 + LONGEST
    assert seconds == [15.0, 45.0, 135.0, 240.0, 240.0]


def test_what_stayed_away_for_longer_than_the_longest_is_forgotten() -> None:
    patience = Patience(FIRST, LONGEST)
    for now in (0.0, 30.0):
        patience.begins(now)
        patience.ends(now + 20)
    patience.begins(50.0 + LONGEST + 1)
    assert patience.seconds == FIRST


def test_a_longest_below_the_first_shortens_nothing() -> None:
    patience = Patience(FIRST, 0.0)
    for _ in range(3):
        patience.begins(0.0)
        assert patience.seconds == FIRST
        patience.ends(0.0)


@given(st.lists(st.floats(0.1, LONGEST - 1), min_size=1))
def test_what_comes_back_within_the_longest_each_time_is_over_a_few_times_at_most(gaps: list[float]) -> None:
    """Waves of no length, and between them gaps: what is over in between, and how often."""
    patience, now, overs = Patience(FIRST, LONGEST), 0.0, 0
    patience.begins(now)
    for gap in gaps:
        if gap > patience.seconds:
            overs += 1
            patience.ends(now + patience.seconds)
            patience.begins(now + gap)
        now += gap
    assert FIRST * RETURNS**overs <= LONGEST * RETURNS
