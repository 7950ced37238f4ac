"""Silence: told of whoever says nothing, and never of others while the listener hears nothing at all."""

from hypothesis import given
from hypothesis import strategies as st

from rules.silence import Silence

AFTER = 7.0


def listening(*instances: str) -> Silence:
    silence = Silence(own="watcher", silent_after=AFTER, now=100.0)
    for each in instances:
        silence.heard(each, 100.0)
    return silence


def test_who_says_nothing_for_long_enough_is_silent_until_it_is_heard() -> None:
    silence = listening("a", "b")
    for now, is_silent in ((103.0, False), (107.0, False), (107.5, True)):
        silence.heard("watcher", now)
        silence.heard("b", now)
        assert silence.silent(now) == {"a": is_silent, "b": False}
    assert silence.silent(107.5) == {"a": True, "b": False}
    silence.heard("a", 108.0)
    assert silence.silent(108.0) == {"a": False, "b": False}


def test_who_ended_as_it_should_is_not_missed() -> None:
    silence = listening("a")
    silence.gone("a")
    silence.heard("watcher", 150.0)
    assert silence.silent(150.0) == {}


def test_while_the_listener_hears_not_even_itself_nobody_is_silent_and_all_get_time_afterwards() -> None:
    silence = listening("a")
    assert silence.deaf(107.5)
    assert silence.silent(107.5) == {}
    silence.heard("watcher", 160.0)  # the broker is back
    assert not silence.deaf(160.0)
    assert silence.silent(160.0) == {"a": False}
    silence.heard("watcher", 167.0)
    assert silence.silent(173.9) == {"a": False}
    silence.heard("watcher", 167.5)
    assert silence.silent(167.5) == {"a": True}


def test_at_the_beginning_of_an_outage_nobody_is_silent_who_was_heard_a_little_earlier_than_the_listener() -> None:
    silence = listening("a")
    silence.heard("watcher", 101.9)  # the last that any of them said before the broker went away
    for now in (107.1, 108.8):
        assert not silence.deaf(now)
        assert silence.silent(now) == {"a": False}
    assert silence.deaf(109.0)


def test_its_own_clean_end_of_before_does_not_make_it_deaf() -> None:
    silence = listening()
    silence.gone("watcher")
    assert not silence.deaf(101.0)


@given(st.lists(st.tuples(st.sampled_from(["watcher", "a", "b"]), st.floats(0, 5)), max_size=60))
def test_nobody_is_silent_who_was_heard_a_moment_ago(history: list[tuple[str, float]]) -> None:
    silence, now, heard = listening("a", "b"), 100.0, {"a": 100.0, "b": 100.0}
    for instance, pause in history:
        now += pause
        silence.heard(instance, now)
        heard[instance] = now
        for each, is_silent in silence.silent(now).items():
            assert not is_silent or now - heard[each] > AFTER
