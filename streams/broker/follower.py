"""Compacted topics read whole and then followed: what every worker must know, heartbeats, the operator's word.

They are compacted, but not at once: of what is there already only the latest record of each key counts. A worker that
started would else have scorers verify every model of the last hour.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.broker.clients import reader
from streams.broker.reading import MOST_RECORDS, begin_at, stretch
from streams.crash import give_up
from streams.settings import BrokerSettings

log = structlog.get_logger()

POLL_MS = 200

Take = Callable[[bytes, bytes | None], Awaitable[None] | None]  # key and value; None is a tombstone


@dataclass(slots=True, kw_only=True)
class Follower:
    """Reads partitions without a group: the latest record of each key that is there, then every one that comes.

    `take` must not raise for what a record may hold.
    """

    settings: BrokerSettings
    takes: dict[str, Take]  # by topic name
    _consumer: AIOKafkaConsumer | None = None
    _task: asyncio.Task[None] | None = None
    _partitions: list[TopicPartition] = field(default_factory=list)

    async def start(self, partitions: Iterable[TopicPartition]) -> None:
        """Hand over what there is, then follow in the background."""
        self._partitions = sorted(partitions)
        if not self._partitions:
            return
        self._consumer = reader(self.settings, fetch_max_wait_ms=100, max_partition_fetch_bytes=8 << 20)
        await self._consumer.start()
        starts = await self._consumer.beginning_offsets(self._partitions)
        ends = await self._consumer.end_offsets(self._partitions)
        latest: dict[tuple[str, bytes], ConsumerRecord] = {}
        async for records in stretch(self._consumer, starts, ends):
            latest.update(((record.topic, record.key), record) for record in records)
        for number, record in enumerate(latest.values()):
            await self._hand_over(record)
            if number % MOST_RECORDS == 0:
                await asyncio.sleep(0)
        begin_at(self._consumer, ends)
        self._task = asyncio.create_task(self._follow(), name="follower")

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None

    async def _follow(self) -> None:
        try:
            while True:
                await self._read()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - a worker that hears nothing must not decide
            give_up("follower_failed", error, topics=sorted(self.takes))

    async def _read(self) -> None:
        if self._consumer is None:
            return
        for records in (await self._consumer.getmany(timeout_ms=POLL_MS, max_records=500)).values():
            for record in records:
                await self._hand_over(record)
        await asyncio.sleep(0)

    async def _hand_over(self, record: ConsumerRecord) -> None:
        if record.key is not None and (slow := self.takes[record.topic](record.key, record.value)) is not None:
            await slow
