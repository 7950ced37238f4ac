"""Faults in the order that a seed gives, as often as they were asked for."""

from itertools import islice

from chaos.schedule import CAMPAIGN, DURATIONS, FaultKind, endless, given
from hypothesis import given as having
from hypothesis import strategies as st

seeds = st.integers(0, 2**31)


@having(seeds)
def test_each_fault_lasts_as_long_as_its_kind_may(seed: int) -> None:
    for each in islice(endless(seed, CAMPAIGN), 50):
        shortest, longest = DURATIONS.get(each.kind, (0.0, 0.0))
        assert shortest <= each.seconds <= longest
        assert 0.0 <= each.victim < 1.0


@having(seeds)
def test_the_same_seed_gives_the_same_faults(seed: int) -> None:
    first, again, other = (list(islice(endless(each, CAMPAIGN), 20)) for each in (seed, seed, seed + 1))
    assert first == again != other
    assert [each.number for each in first] == list(range(1, 21))


@having(seeds, st.lists(st.sampled_from(FaultKind), max_size=5))
def test_given_faults_come_in_their_order(seed: int, kinds: list[FaultKind]) -> None:
    assert [each.kind for each in given(seed, kinds)] == kinds


def test_a_zombie_sleeps_longer_than_its_session() -> None:
    assert DURATIONS[FaultKind.ZOMBIE_WORKER][0] > 6.0
