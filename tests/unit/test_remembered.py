"""What was decided lately: a set that lets go of the oldest, by count and by age."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.auditing.remembered import Remembered


def holds(remembered: Remembered, *keys: int) -> list[bool]:
    return list(remembered.holds(np.array(keys, dtype=np.uint64)).tolist())


@given(st.lists(st.integers(0, 2**64 - 1), max_size=400, unique=True), st.integers(1, 300))
def test_the_newest_are_held_and_never_more_than_allowed(keys: list[int], most: int) -> None:
    remembered = Remembered(most=most, seconds=60.0)
    for key in keys:
        remembered.add(key, 0.0)
        assert len(remembered) <= most
    surely = most - max(1, most // 64) + 1
    newest = keys[-surely:]
    assert holds(remembered, *newest) == [True] * len(newest)
    assert len(remembered) >= min(len(keys), surely)


@given(st.sets(st.integers(0, 1000), min_size=1), st.sets(st.integers(0, 1000)))
def test_only_what_was_added_is_held(added: set[int], asked: set[int]) -> None:
    remembered = Remembered(most=4000, seconds=60.0)
    for key in added:
        remembered.add(key, 0.0)
    assert holds(remembered, *sorted(asked)) == [key in added for key in sorted(asked)]


def test_a_key_goes_when_it_is_too_old_and_not_before() -> None:
    remembered = Remembered(most=640, seconds=60.0)
    for key in range(100):
        remembered.add(key, float(key))
    remembered.forget(60.0)
    assert holds(remembered, 0, 99) == [True, True]
    remembered.forget(159.0)
    assert holds(remembered, 99) == [True]
    assert len(remembered) <= 10
    remembered.forget(159.1)
    assert len(remembered) == 0
