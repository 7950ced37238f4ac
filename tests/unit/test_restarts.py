"""When a child that ended is started again."""

from hypothesis import given
from hypothesis import strategies as st

from streams.crash import EXIT_INDEFINITE
from streams.supervising.restarts import RestartPolicy, Restarts

POLICY = RestartPolicy(first_pause=0.5, longest_pause=10.0, settled_after=10.0)


def pauses(*deaths, policy=POLICY):
    restarts = Restarts(policy)
    return [restarts.pause(lived_seconds=lived, exit_code=code) for lived, code in deaths]


def test_pauses_double_up_to_the_longest_while_it_dies_early():
    assert pauses(*[(0.1, 1)] * 7) == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_what_has_lived_a_while_is_back_at_once_and_its_earlier_deaths_are_forgiven():
    assert pauses((0.1, 1), (0.1, 1), (10.0, 1), (0.1, 1)) == [0.5, 1.0, 0.0, 1.0]


def test_crash_on_purpose_is_restarted_at_once():
    assert pauses((30.0, EXIT_INDEFINITE), (30.0, EXIT_INDEFINITE)) == [0.0, 0.0]


def test_what_gives_up_at_every_start_is_not_restarted_in_a_busy_loop():
    assert pauses(*[(0.1, EXIT_INDEFINITE)] * 3) == [0.0, 1.0, 2.0]


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 255)), max_size=2000))
def test_pauses_stay_within_their_bounds_after_any_history(deaths):
    assert all(0.0 <= pause <= POLICY.longest_pause for pause in pauses(*deaths))
