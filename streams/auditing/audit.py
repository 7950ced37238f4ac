"""`holdfast audit`: conservation checked by reading topics alone."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streams.auditing.accounting import Ledger, LedgerReport
from streams.auditing.entries import NotAnEnding, identity, take_ending
from streams.auditing.horizon import SKEW_SECONDS
from streams.broker.groups import group_offsets
from streams.broker.reading import Offsets, partitions_of, places_at, stretch
from streams.broker.topics import DECISIONS, Topic, name_of
from streams.settings import Settings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

LOOK_BACK_SECONDS = 3600.0  # before the range: a repeat in it may be of a payment decided before it
LOOK_AGAIN_SECONDS = 0.2

Progress = Callable[[int, int], None]  # records read, and how many there are


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an audit found."""

    ledger: LedgerReport
    unreadable: int  # records of the decision and dead-letter topics that name no transaction

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, decided twice or left unclear."""
        return self.ledger.holds and not self.unreadable


async def audit_topics(
    settings: Settings, *, since: float | None = None, wait_seconds: float = 10.0, on_progress: Progress | None = None
) -> Audit:
    """Read what there is from `since` on (seconds since the epoch; None: all of it) and account for each transaction.

    First waits, up to `wait_seconds`, until the workers have read every transaction that was there on entry. An hour
    before `since` is read too, so that repeats of payments decided then are recognised; of still earlier ones not.
    """
    from streams.broker.clients import reader
    from streams.broker.topic_admin import require_topics

    await require_topics(settings)
    async with AsyncExitStack() as opened:
        consumer = await _started(opened, reader(settings.broker))
        taking = _Taking(settings, await _counted_from(consumer, settings, since))
        inputs = partitions_of(settings, [Topic.TRANSACTIONS])
        ends = await consumer.end_offsets(inputs)
        committed = await _committed(consumer, settings, ends, wait_seconds)
        back = None if since is None else since - LOOK_BACK_SECONDS
        starts = await places_at(consumer, inputs, back)
        outputs = partitions_of(settings, [*DECISIONS.values(), Topic.DEAD_LETTERS])
        starts |= await places_at(consumer, outputs, None if back is None else back - SKEW_SECONDS)
        # High watermarks, and after the commits were read: what was committed with them lies below.
        ends |= await _high_watermarks(opened, settings, outputs)
        total = sum(max(0, ends[each] - starts[each]) for each in ends)
        async for records in stretch(consumer, starts, ends):
            taking.take(records)
            if on_progress is not None:
                on_progress(taking.read, total)
    report = taking.ledger.report({each.partition: offset for each, offset in committed.items()})
    return Audit(ledger=report, unreadable=taking.unreadable)


class _Taking:
    """Takes records down in the ledger, each as its topic has it."""

    def __init__(self, settings: Settings, counted_from: dict[int, int]) -> None:
        self.ledger = Ledger(counted_from)
        self.read = 0
        self.unreadable = 0
        self._input = name_of(Topic.TRANSACTIONS, settings.topics)
        self._dead_letters = name_of(Topic.DEAD_LETTERS, settings.topics)

    def take(self, records: list[Any]) -> None:
        """Records of one partition."""
        if not records:
            return
        take = self._transaction if records[0].topic == self._input else self._ending
        for record in records:
            take(record)
        self.read += len(records)

    def _transaction(self, record: Any) -> None:
        if (named := identity(record)) is not None:
            self.ledger.transaction(record.partition, record.offset, *named)

    def _ending(self, record: Any) -> None:
        try:
            take_ending(self.ledger, record, source=self._input, dead_letters=self._dead_letters)
        except NotAnEnding:
            self.unreadable += 1


async def _started(opened: AsyncExitStack, consumer: "AIOKafkaConsumer") -> "AIOKafkaConsumer":
    opened.push_async_callback(consumer.stop)
    await consumer.start()
    return consumer


async def _counted_from(consumer: "AIOKafkaConsumer", settings: Settings, since: float | None) -> dict[int, int]:
    places = await places_at(consumer, partitions_of(settings, [Topic.TRANSACTIONS]), since)
    return {each.partition: offset for each, offset in places.items()}


async def _high_watermarks(opened: AsyncExitStack, settings: Settings, partitions: list["TopicPartition"]) -> Offsets:
    from streams.broker.clients import reader

    consumer = await _started(opened, reader(settings.broker, isolation_level="read_uncommitted"))
    return dict(await consumer.end_offsets(partitions))


async def _committed(consumer: "AIOKafkaConsumer", settings: Settings, ends: Offsets, wait_seconds: float) -> Offsets:
    """How far the workers' group has come, once it has come to `ends` or the wait is over."""
    from streams.broker.clients import admin

    client = admin(settings.broker)
    await client.start()
    try:
        give_up_at = time.monotonic() + wait_seconds
        while True:
            committed = await group_offsets(client, settings.lanes_group, list(ends))
            if time.monotonic() >= give_up_at or not await _any_unread(consumer, committed, ends):
                return committed
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
    finally:
        await client.close()


async def _any_unread(consumer: "AIOKafkaConsumer", committed: Offsets, ends: Offsets) -> bool:
    """Whether records lie between: the last places of a partition may be markers of a producer's transactions."""
    starts = {each: committed.get(each, 0) for each in ends}
    async for records in stretch(consumer, starts, ends):
        if records:
            return True
    return False
