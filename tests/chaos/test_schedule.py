"""Faults in the order that a seed gives, as often as they were asked for."""

from collections import Counter
from itertools import islice

from chaos.schedule import CAMPAIGN, DURATIONS, FaultKind, endless, given, schedule
from hypothesis import given as having
from hypothesis import strategies as st

seeds = st.integers(0, 2**31)


@having(seeds)
def test_a_campaign_has_each_fault_as_often_as_it_says_and_the_same_ones_again(seed: int) -> None:
    faults = schedule(seed, CAMPAIGN)
    assert Counter(each.kind for each in faults) == CAMPAIGN
    assert [each.number for each in faults] == list(range(1, len(faults) + 1))
    assert schedule(seed, CAMPAIGN) == faults


@having(seeds)
def test_each_fault_lasts_as_long_as_its_kind_may(seed: int) -> None:
    for each in islice(endless(seed, CAMPAIGN), 50):
        shortest, longest = DURATIONS.get(each.kind, (0.0, 0.0))
        assert shortest <= each.seconds <= longest
        assert 0.0 <= each.victim < 1.0


def test_other_seeds_give_other_orders() -> None:
    orders = {tuple(each.kind for each in schedule(seed, CAMPAIGN)) for seed in range(5)}
    assert len(orders) == 5


@having(seeds, st.lists(st.sampled_from(FaultKind), max_size=5))
def test_given_faults_come_in_their_order(seed: int, kinds: list[FaultKind]) -> None:
    assert [each.kind for each in given(seed, kinds)] == kinds


def test_a_zombie_sleeps_longer_than_its_session() -> None:
    assert DURATIONS[FaultKind.ZOMBIE_WORKER][0] > 6.0
