"""Lanes and the consumer group: an opening that takes long must not cost the partitions."""

import asyncio
from types import SimpleNamespace

from aiokafka import TopicPartition

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


async def test_the_group_is_answered_before_lanes_are_open() -> None:
    lanes = SlowLanes()

    await asyncio.wait_for(lanes.on_partitions_assigned(ASSIGNED), 1.0)

    assert lanes.opened == []
    lanes.may_open.set()
    await lanes.on_partitions_revoked([])
    assert lanes.opened == [sorted(ASSIGNED)]


async def test_partitions_are_given_back_only_once_they_are_open() -> None:
    lanes = SlowLanes()
    await lanes.on_partitions_assigned(ASSIGNED)

    revoking = asyncio.create_task(lanes.on_partitions_revoked([]))
    await asyncio.sleep(0)
    assert not revoking.done()

    lanes.may_open.set()
    await asyncio.wait_for(revoking, 1.0)
