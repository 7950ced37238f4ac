"""Reading positions: a restart reads again whatever it needs, and not much more."""

from hypothesis import given
from hypothesis import strategies as st

from streams.learning import positions
from streams.learning.positions import MOST_CHECKPOINTS, Positions

PLACE = "decisions.approve:0"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=60), st.integers(2, 8))
def test_reading_starts_before_every_example_still_held(rounds: list[tuple[int, int]], most: int) -> None:
    """One example at each offset; each round some come, some of those held go, in any order, and a mark is left."""
    before, positions.MOST_CHECKPOINTS = positions.MOST_CHECKPOINTS, most
    try:
        trail, held, arrived = Positions(), set[int](), 0
        trail.mark(0)
        for come, go in rounds:
            held |= set(range(arrived, arrived + come))
            arrived += come
            held -= set(sorted(held, key=lambda number: number * 7 % 11)[:go])
            trail.offsets[PLACE] = arrived
            trail.mark(arrived)
            oldest = trail.oldest_needed(min(held, default=arrived)).get(PLACE, 0)
            assert oldest <= min(held, default=arrived)
    finally:
        positions.MOST_CHECKPOINTS = before


def test_what_is_not_held_any_more_is_not_read_again() -> None:
    trail = Positions()
    for arrived in (0, 10, 20, 30):
        trail.offsets[PLACE] = arrived
        trail.mark(arrived)
    assert trail.oldest_needed(19) == {PLACE: 10}
    assert trail.oldest_needed(20) == {PLACE: 20}
    assert trail.oldest_needed(30) == {PLACE: 30}


def test_without_a_checkpoint_all_is_read() -> None:
    assert Positions().oldest_needed(5) == {}


def test_a_checkpoint_is_not_moved_by_what_is_read_later() -> None:
    trail = Positions(offsets={PLACE: 1})
    trail.mark(0)
    trail.offsets[PLACE] = 9
    assert trail.oldest_needed(0) == {PLACE: 1}


def test_the_trail_stays_short_and_keeps_its_beginning() -> None:
    trail = Positions()
    for arrived in range(5 * MOST_CHECKPOINTS):
        trail.offsets[PLACE] = arrived
        trail.mark(arrived)
    assert len(trail._trail) <= MOST_CHECKPOINTS
    assert trail.oldest_needed(0) == {PLACE: 0}
    newest = 5 * MOST_CHECKPOINTS - 1
    assert trail.oldest_needed(newest)[PLACE] > newest - MOST_CHECKPOINTS
