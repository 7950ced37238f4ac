"""Reading topics without a group: from which places, and from one place to another and no further."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

from streams.broker.topics import CATALOGUE, Topic, name_of
from streams.settings import Settings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

Offsets = dict["TopicPartition", int]

POLL_MS = 200
LOOK_MS = 20  # behind the last record of a stretch there may be markers only, and no poll ends for them
MOST_RECORDS = 250  # at a time: they hold the loop for a millisecond or two


def partitions_of(settings: Settings, topics: Iterable[Topic]) -> list["TopicPartition"]:
    """All partitions that topics have by the catalogue."""
    from aiokafka import TopicPartition

    counts = {spec.topic: spec.partitions(settings.topics) for spec in CATALOGUE}
    return [
        TopicPartition(name_of(topic, settings.topics), number) for topic in topics for number in range(counts[topic])
    ]


def place(partition: "TopicPartition") -> str:
    """A partition's name in what is kept of where a process stood."""
    return f"{partition.topic}:{partition.partition}"


async def places_at(consumer: "AIOKafkaConsumer", partitions: list["TopicPartition"], since: float | None) -> Offsets:
    """The first offset of each partition from `since` on, in seconds since the epoch; None: from the beginning."""
    if since is None:
        return dict(await consumer.beginning_offsets(partitions))
    found = await consumer.offsets_for_times(dict.fromkeys(partitions, max(0, int(since * 1000))))
    ends = await consumer.end_offsets(partitions)
    return {each: ends[each] if found[each] is None else found[each].offset for each in partitions}


def begin_at(consumer: "AIOKafkaConsumer", places: Offsets) -> None:
    """Assign these partitions, each to be read from its place on."""
    consumer.assign(sorted(places))
    for partition, offset in places.items():
        consumer.seek(partition, offset)


async def behind(consumer: "AIOKafkaConsumer", ends: Offsets) -> list["TopicPartition"]:
    """The partitions that have not been read up to these offsets.

    By position, not by record: the last places before an offset may be transaction markers.
    """
    return [each for each, end in ends.items() if await consumer.position(each) < end]


async def whole(consumer: "AIOKafkaConsumer", partitions: list["TopicPartition"]) -> AsyncIterator[list[Any]]:
    """All records that are there now, a list from one partition at a time."""
    starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    async for records in stretch(consumer, starts, ends):
        yield records


async def stretch(consumer: "AIOKafkaConsumer", starts: Offsets, ends: Offsets) -> AsyncIterator[list[Any]]:
    """The records from `starts` up to but without `ends`, a list from one partition at a time."""
    waiting = {each for each in ends if starts[each] < ends[each]}
    if not waiting:
        return
    begin_at(consumer, {each: starts[each] for each in waiting})
    while waiting:
        for partition, records in (await consumer.getmany(timeout_ms=LOOK_MS, max_records=MOST_RECORDS)).items():
            if partition in waiting:
                yield [record for record in records if record.offset < ends[partition]]
        still = set(await behind(consumer, {each: ends[each] for each in waiting}))
        consumer.pause(*waiting - still)
        waiting = still
        await asyncio.sleep(0)  # what is fetched already is given out without a turn of the loop
