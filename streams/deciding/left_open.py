"""Whether Kafka has ended what the fence says it has ended: nobody may decide on beside a transaction left open.

A producer that fences its predecessor is answered once the predecessor's transaction is over, with a marker on each of
its partitions. Kafka 4.3.0 to 4.4.0 forget the markers of a partition that has no leader at that moment (KAFKA-20734).
What is left open then looks undone to whoever takes the lane over, and is committed by the next marker: decided twice.
"""

import asyncio
from collections.abc import Collection, Iterable

from aiokafka import TopicPartition

from streams.broker.clients import reader
from streams.broker.topics import DECISIONS, Topic, name_of
from streams.settings import Settings

CLAIMS = (Topic.LANE_OWNERS,)
# Not `transactions.DLT`: the learner writes there, too, and a dead letter is no decision.
BATCHES = (*DECISIONS.values(), Topic.PROFILES)


async def left_open(
    settings: Settings, partitions: Collection[int], topics: Iterable[Topic]
) -> dict[int, tuple[str, ...]]:
    """Those of these partitions, fenced already, that have records without a marker, and where these begin."""
    looked_at = [TopicPartition(name_of(topic, settings.topics), number) for topic in topics for number in partitions]
    if not looked_at:
        return {}
    async with (
        reader(settings.broker) as committed,
        reader(settings.broker, isolation_level="read_uncommitted") as all_,
    ):
        stable, ends = await asyncio.gather(committed.end_offsets(looked_at), all_.end_offsets(looked_at))
    places: dict[int, tuple[str, ...]] = {}
    for each in looked_at:
        if stable[each] < ends[each]:
            found = f"{each.topic}-{each.partition} from offset {stable[each]}"
            places[each.partition] = (*places.get(each.partition, ()), found)
    return places
