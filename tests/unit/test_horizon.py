"""Up to which moment topics are known."""

import pytest

from streams.auditing.horizon import SKEW_SECONDS, Horizon


@pytest.fixture
def horizon() -> Horizon[str]:
    return Horizon(["a", "b"])


def test_nothing_is_known_before_each_question_is_answered(horizon: Horizon[str]) -> None:
    horizon.ask(100.0, {"a": 5, "b": 0})
    horizon.reached("a", 4)
    horizon.reached("b", 0)
    assert (horizon.known(), horizon.known(["b"])) == (None, 100.0)
    horizon.reached("a", 5)
    assert horizon.known() == 100.0


def test_the_oldest_counts(horizon: Horizon[str]) -> None:
    for moment, place in ((100.0, "a"), (200.0, "b")):
        horizon.ask(moment, {place: 0})
        horizon.reached(place, 0)
    assert horizon.known() == 100.0


def test_a_reader_that_does_not_keep_up_answers_the_first_question(horizon: Horizon[str]) -> None:
    horizon.ask(100.0, {"a": 5})
    horizon.ask(200.0, {"a": 9})
    horizon.reached("a", 5)
    assert horizon.known(["a"]) == 100.0
    horizon.reached("a", 9)
    assert horizon.known(["a"]) == 100.0  # nobody asked since


def test_records_tell_how_far_a_reader_is_that_has_far_to_go(horizon: Horizon[str]) -> None:
    horizon.passed("a", 1000.0, 5000.0)
    assert horizon.known(["a"]) == 1000.0 - SKEW_SECONDS
    horizon.passed("a", 10_000.0, 5000.0)  # by a clock that is ahead
    assert horizon.known(["a"]) == 5000.0 - SKEW_SECONDS


def test_what_is_known_stays_known(horizon: Horizon[str]) -> None:
    horizon.ask(100.0, {"a": 0})
    horizon.reached("a", 0)
    horizon.passed("a", 100.0, 101.0)
    assert horizon.known(["a"]) == 100.0
