"""Where a lane stands: what it took, how far it is behind, whom it forgets and what it notes."""

import pytest
from aiokafka import TopicPartition
from support.deciding import NOW, a_lane, record_of, transaction
from support.fake_consumer import FakeConsumer

from models.card import Profile, pack
from streams.deciding import lane as lane_module
from streams.deciding.batch import Decided, Outgoing
from streams.deciding.intake import Inlet
from streams.deciding.lane import Lane
from streams.deciding.resumption import note

PARTITION = TopicPartition("transactions", 0)
DAY = 86_400


def waiting(*offsets: int, end: int | None = None) -> Lane:
    inlet = Inlet(PARTITION, FakeConsumer(end))
    inlet.add([record_of(transaction(each), offset=each) for each in offsets])
    return Lane(inlet=inlet, state=a_lane(), next=None, profile_idle_days=90)


@pytest.mark.parametrize(("end", "lag"), [(8, 2), (108, 102), (None, 0), (3, 0)])
def test_a_lane_knows_how_far_it_is_behind_with_what_it_takes(end: int | None, lag: int) -> None:
    lane = waiting(6, 7, end=end)
    assert [each.offset for each in lane.take(5).records] == [6, 7]
    assert lane.state.lag == lag


def test_a_lane_that_rests_knows_that_it_has_caught_up() -> None:
    lane = waiting(6, 7, end=108)
    lane.rest()
    assert lane.state.lag == 0  # it has taken nothing, and cannot know
    lane.take(2)
    lane.inlet.consumer.end = 8
    lane.rest()
    assert lane.state.lag == 0


def test_what_comes_next_is_noted_beside_the_profiles() -> None:
    lane = waiting(4, 5)
    batch = lane.take(1)
    lane.take(1)  # the next batch is taken while this one is decided
    decided = Decided(profiles=[Outgoing(b"tok", b"packed")])
    assert lane.complete(decided, batch.records) == 5
    assert decided.profiles == [Outgoing(b"tok", b"packed"), note(5)]
    assert lane.next is None  # not yet


def test_idle_cards_are_forgotten_now_and_then_with_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = waiting(4, 5)
    store = lane.state.profiles
    for card, age in ((b"idle", 91), (b"seen", 89)):
        profile = Profile()
        profile.observe(NOW - age * DAY, 100, 1, 1)
        store.restored(card, pack(profile))
    store.newest = NOW
    batch, decided = lane.take(1), Decided()
    lane.complete(decided, batch.records)
    assert decided.profiles == [note(5)]

    monkeypatch.setattr(lane_module, "EVICT_EVERY_SECONDS", 0.0)
    batch, decided = lane.take(1), Decided()
    lane.complete(decided, batch.records)
    assert decided.profiles == [Outgoing(b"idle", None), note(6)]
    assert len(store) == 1
