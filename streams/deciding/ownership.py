"""Who may write for an input partition: who claimed it last, and nobody who claimed it before.

A worker writes the batches of all its partitions by one transactional producer, whose name is new with each assignment
and says nothing of partitions. So each partition has a topic partition of claims, `lane-owners`, and a lock: a producer
of the partition's own name, which fences whoever is about to claim the same partition. Under the lock a worker reads
who has claimed the partition, fences all of them, and claims it in their stead. So whoever may still write for the
partition has a claim that its next owner finds; and whoever is found can write no more.

No transaction that touches a claim is anybody's but the lock's, so that the next lock ends it.
"""

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.broker.clients import reader
from streams.broker.reading import whole
from streams.broker.topics import Topic, name_of
from streams.deciding.transactional import fencing_producer, given_up
from streams.settings import Settings

CLAIMED = b"1"


async def lock(settings: Settings, partition: int) -> AIOKafkaProducer:
    """The lock of a partition, until it is stopped or the next one takes it."""
    return await fencing_producer(settings, str(partition))


async def take_over(settings: Settings, locks: Mapping[int, AIOKafkaProducer], owner: str) -> None:
    """Fence whoever has claimed these partitions, and claim them for the producer of this name.

    `locks` are of partitions none of whose claims is in an open transaction. Raises a KafkaError where a lock was taken
    by somebody else.
    """
    earlier = await _owners(settings, locks)
    others = set[str]().union(*earlier.values()) - {owner}
    await asyncio.gather(*(_fence(settings, each) for each in sorted(others)))
    await asyncio.gather(
        *(_claim(settings, producer, each, owner, earlier[each] - {owner}) for each, producer in locks.items())
    )


async def _owners(settings: Settings, partitions: Iterable[int]) -> dict[int, set[str]]:
    """Whoever has claimed each of these partitions and was not fenced since."""
    topic = name_of(Topic.LANE_OWNERS, settings.topics)
    owners: dict[int, set[str]] = {each: set() for each in partitions}
    if not owners:
        return owners
    async with reader(settings.broker) as consumer:
        async for records in whole(consumer, [TopicPartition(topic, each) for each in owners]):
            for record in records:
                known, name = owners[record.partition], record.key.decode()
                (known.discard if record.value is None else known.add)(name)
    return owners


async def _fence(settings: Settings, owner: str) -> None:
    await given_up(await fencing_producer(settings, owner))


async def _claim(
    settings: Settings, producer: AIOKafkaProducer, partition: int, owner: str, fenced: Iterable[str]
) -> None:
    topic = name_of(Topic.LANE_OWNERS, settings.topics)
    await producer.begin_transaction()
    sent = [await producer.send(topic, key=owner.encode(), value=CLAIMED, partition=partition)]
    sent += [await producer.send(topic, key=each.encode(), value=None, partition=partition) for each in sorted(fenced)]
    await asyncio.gather(*sent)
    await producer.commit_transaction()
