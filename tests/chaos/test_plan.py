"""The legs of a campaign hold every fault that was asked for, once, and are short."""

from collections import Counter

from chaos.plan import LEG_SECONDS, ROOMS, lasts, legs
from chaos.schedule import CAMPAIGN, DURATIONS, FaultKind, possible
from hypothesis import given
from hypothesis import strategies as st

seeds = st.integers(0, 2**31)
counts = st.dictionaries(st.sampled_from(FaultKind), st.integers(0, 60))


@given(seeds, counts)
def test_every_fault_is_in_a_leg_as_often_as_it_was_asked_for(seed: int, counts: dict[FaultKind, int]) -> None:
    *planned, doubled = legs(seed, counts)
    assert Counter(kind for leg in planned for kind in leg.faults) == Counter(counts)
    assert doubled.twice == 1.0
    assert sum(map(lasts, doubled.faults)) >= 300.0


@given(seeds)
def test_a_leg_is_short_and_the_same_again(seed: int) -> None:
    longest = max(longest for _, longest in DURATIONS.values()) + 10.0
    planned = legs(seed, CAMPAIGN)
    assert all(sum(map(lasts, leg.faults)) < LEG_SECONDS + longest for leg in planned)
    assert planned == legs(seed, CAMPAIGN)
    assert len({leg.seed for leg in planned}) == len({leg.name for leg in planned}) == len(planned)


@given(seeds)
def test_three_brokers_are_there_where_one_is_killed(seed: int) -> None:
    for leg in legs(seed, CAMPAIGN):
        assert (leg.brokers == 3) == (FaultKind.KILL_ONE_BROKER in leg.faults)
        assert set(leg.faults) <= set(possible(leg.brokers))


def test_each_kind_has_one_place() -> None:
    assert Counter(kind for kinds in ROOMS.values() for kind in kinds) == Counter(FaultKind)
