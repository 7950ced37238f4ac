"""Tells the consumer group how far its lanes have come: for lag exporters, `kafka-consumer-groups` and the audit.

No lane goes on there (`streams/deciding/resumption.py`), so it is not part of what a lane commits. Were it, each batch
would ask the group coordinator twice, and its log would grow with each: a broker that starts loads it whole, and one of
4.2.1 was seen not to come back from that.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.crash import give_up

TELL_SECONDS = 1.0
PATIENCE_SECONDS = 1.0  # at the end, where nobody may be there to be told


class GroupOffsets:
    """Once a second it says for each partition of an assignment which input offset comes next, if that has moved."""

    def __init__(self, consumer: AIOKafkaConsumer, places: Callable[[], Mapping[TopicPartition, int]]) -> None:
        self._consumer = consumer
        self._places = places
        self._told: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Tell from now on."""
        self._task = asyncio.create_task(self._tell_always(), name="group offsets")

    async def stop(self, places: Mapping[TopicPartition, int]) -> None:
        """Tell this, if somebody listens, and no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._tell(places)

    async def _tell_always(self) -> None:
        try:
            while True:
                await asyncio.sleep(TELL_SECONDS)
                await self._tell(self._places())
        except Exception as error:  # noqa: BLE001 - a lag that nobody tells looks like one that grows
            give_up("group_not_told", error)

    async def _tell(self, places: Mapping[TopicPartition, int]) -> None:
        moved = {each: place for each, place in places.items() if self._told.get(each) != place}
        if not moved:
            return
        with contextlib.suppress(KafkaError):  # a rebalance, for one: whose it is then tells it
            await self._consumer.commit(moved)
            self._told |= moved
