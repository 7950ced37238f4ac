"""Lanes and the consumer group: an opening that takes long must cost neither the partitions nor anybody's rebalance."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.deciding import lanes as opening
from streams.deciding.lanes import Lanes
from streams.settings import Settings

ASSIGNED = [TopicPartition("transactions", number) for number in (1, 0)]


class SlowLanes(Lanes):
    """Opens only when it is let to."""

    def __init__(self) -> None:
        knowledge = SimpleNamespace(card_frauds={})
        super().__init__(
            Settings(), instance="worker-1", agent=None, knowledge=knowledge, told=None, on_assigned=lambda _: None
        )
        self.may_open = asyncio.Event()
        self.opened: list[list[TopicPartition]] = []

    async def _open(self, partitions: list[TopicPartition]) -> None:
        await self.may_open.wait()
        self.opened.append(partitions)


class Producer:
    """One that can be stopped, any number of times."""

    stopped = False

    async def stop(self) -> None:
        self.stopped = True


async def test_the_group_is_answered_before_lanes_are_open() -> None:
    lanes = SlowLanes()

    await asyncio.wait_for(lanes.on_partitions_assigned(ASSIGNED), 1.0)

    assert lanes.opened == []
    lanes.may_open.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert lanes.opened == [sorted(ASSIGNED)]


async def test_a_revocation_breaks_an_opening_off() -> None:
    lanes = SlowLanes()
    await lanes.on_partitions_assigned(ASSIGNED)
    await asyncio.sleep(0)

    await asyncio.wait_for(lanes.on_partitions_revoked([]), 1.0)

    lanes.may_open.set()
    await asyncio.sleep(0)
    assert lanes.opened == []


async def test_an_opening_broken_off_leaves_no_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    """One partition is fenced already and another is not, when the partitions are taken away."""
    fenced = Producer()

    async def fence(_settings: Settings, partition: int) -> Producer:
        if partition == 1:
            await asyncio.Event().wait()
        return fenced

    async def follow_nothing(_self: Lanes, _partitions: list[int]) -> None:
        return

    monkeypatch.setattr(opening, "fenced_producer", fence)
    monkeypatch.setattr(Lanes, "_follow_cards", follow_nothing)
    lanes = Lanes(
        Settings(),
        instance="worker-1",
        agent=None,
        knowledge=SimpleNamespace(card_frauds={}),
        told=None,
        on_assigned=lambda _: None,
    )
    await lanes.on_partitions_assigned(ASSIGNED)
    await asyncio.sleep(0.01)

    await asyncio.wait_for(lanes.on_partitions_revoked([]), 1.0)

    assert fenced.stopped


async def test_a_worker_that_is_no_member_any_more_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    over: list[BaseException] = []
    looks = [None, None, KafkaError("Unexpected error during coordination")]

    def check_errors() -> None:
        if (error := looks.pop(0)) is not None:
            raise error

    monkeypatch.setattr(opening, "MIND_SECONDS", 0.0)
    monkeypatch.setattr(opening, "give_up", lambda _, error: over.append(error))
    lanes = SlowLanes()
    lanes._consumer = SimpleNamespace(_coordinator=SimpleNamespace(check_errors=check_errors))

    await asyncio.wait_for(lanes._mind_membership(), 1.0)

    assert [str(each) for each in over] == ["KafkaError: Unexpected error during coordination"]
    assert looks == []
