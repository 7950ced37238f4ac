"""Canaries: a partition is late while one is away for too long, and for no other reason."""

from hypothesis import given
from hypothesis import strategies as st

from rules.canaries import Canaries

LATE_AFTER = 20.0


def some() -> Canaries:
    return Canaries(2, late_after=LATE_AFTER)


def test_a_partition_whose_canary_does_not_come_back_is_late_until_a_later_one_does() -> None:
    canaries = some()
    for at in (0.0, 10.0, 20.0):
        canaries.sent(0, f"a{at}", at)
        canaries.sent(1, f"b{at}", at)
        canaries.decided(1, f"b{at}", at + 0.5)
    assert canaries.late(20.0) == ()
    assert canaries.late(20.1) == (0,)
    assert canaries.took() == {1: 0.5}

    canaries.decided(0, "a20.0", 23.0)
    assert canaries.late(100.0) == ()
    assert canaries.took() == {0: 3.0, 1: 0.5}


def test_one_that_was_not_sent_is_not_missed() -> None:
    canaries = some()
    canaries.sent(0, "a", 0.0)
    canaries.lost(0, "a")
    assert canaries.late(100.0) == ()


def test_after_a_time_in_which_nothing_could_be_heard_none_is_missed() -> None:
    canaries = some()
    canaries.sent(0, "a", 0.0)
    canaries.forget()
    assert canaries.late(100.0) == ()
    canaries.decided(0, "a", 100.0)
    assert canaries.took() == {}


def test_what_an_earlier_watcher_sent_or_nobody_did_changes_nothing() -> None:
    canaries = some()
    canaries.sent(0, "a", 0.0)
    canaries.decided(0, "of another", 5.0)
    canaries.decided(7, "a", 5.0)
    assert canaries.late(20.1) == (0,)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.1, 15.0)), max_size=40))
def test_it_is_late_exactly_while_the_earliest_that_is_away_was_sent_too_long_ago(
    steps: list[tuple[bool, float]],
) -> None:
    canaries, now, away = some(), 0.0, list[tuple[str, float]]()
    for number, (sends, seconds) in enumerate(steps):
        now += seconds
        if sends or not away:
            canaries.sent(1, str(number), now)
            away.append((str(number), now))
        else:
            canaries.decided(1, away.pop()[0], now)
            away.clear()  # those before it will not come any more
        assert canaries.late(now) == ((1,) if away and now - away[0][1] > LATE_AFTER else ())
