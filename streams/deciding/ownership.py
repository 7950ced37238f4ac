"""Who may write for an input partition: who claimed it last, and nobody who claimed it before.

A worker writes the batches of all its partitions by one transactional producer, whose name is new with each assignment
and says nothing of partitions. So each partition has claims, on its partition of `lane-owners`: a worker puts its own
there, then fences whoever has one before it. Of any two the later one has fenced the earlier, whatever either of them
knew; and who finds one behind his own has been replaced.

No transaction touches a claim but that of a lock, a producer of the partition's own name: the next to lock it ends what
was left open, and who lost the lock puts no claim there any more.
"""

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.broker.clients import reader
from streams.broker.reading import whole
from streams.broker.topics import Topic, name_of
from streams.deciding.left_open import CLAIMS, left_open
from streams.deciding.transactional import fencing_producer, given_up
from streams.settings import Settings

CLAIMED = b"1"
LOOK_SECONDS = 0.01


class Replaced(Exception):
    """Somebody else has claimed a partition since: it is not ours any more."""


async def lock(settings: Settings, partition: int) -> AIOKafkaProducer:
    """The lock of a partition, until it is stopped or the next one takes it."""
    return await fencing_producer(settings, str(partition))


async def take_over(settings: Settings, locks: Mapping[int, AIOKafkaProducer], owner: str) -> None:
    """Claim these partitions for the producer of this name, which has started, and fence whoever has claimed them.

    `locks` are of partitions none of whose claims is in an open transaction. Raises Replaced, or a KafkaError where a
    lock was lost.
    """
    await asyncio.gather(*(_say(settings, locks[each], each, {owner: CLAIMED}) for each in locks))
    while await left_open(settings, locks, CLAIMS):  # Kafka writes the end of a transaction after it has answered
        await asyncio.sleep(LOOK_SECONDS)
    earlier = {each: _earlier(names, owner) for each, names in (await _claims(settings, locks)).items()}
    await asyncio.gather(*(_fence(settings, each) for each in sorted(set[str]().union(*earlier.values()))))
    await asyncio.gather(
        *(_say(settings, locks[each], each, dict.fromkeys(names)) for each, names in earlier.items() if names)
    )


def _earlier(names: Iterable[str], owner: str) -> list[str]:
    *earlier, last = names
    if last != owner:
        raise Replaced(f"by {last}")
    return earlier


async def _claims(settings: Settings, partitions: Iterable[int]) -> dict[int, list[str]]:
    """Whoever has claimed each of these partitions and was not fenced since, in the order of their claims."""
    topic = name_of(Topic.LANE_OWNERS, settings.topics)
    claims: dict[int, dict[str, None]] = {each: {} for each in partitions}
    if not claims:
        return {}
    async with reader(settings.broker) as consumer:
        async for records in whole(consumer, [TopicPartition(topic, each) for each in claims]):
            for record in records:
                known, name = claims[record.partition], record.key.decode()
                known.pop(name, None)
                if record.value is not None:
                    known[name] = None
    return {partition: list(names) for partition, names in claims.items()}


async def _fence(settings: Settings, owner: str) -> None:
    await given_up(await fencing_producer(settings, owner))


async def _say(
    settings: Settings, producer: AIOKafkaProducer, partition: int, claims: Mapping[str, bytes | None]
) -> None:
    topic = name_of(Topic.LANE_OWNERS, settings.topics)
    await producer.begin_transaction()
    sent = [
        await producer.send(topic, key=name.encode(), value=value, partition=partition)
        for name, value in claims.items()
    ]
    await asyncio.gather(*sent)
    await producer.commit_transaction()
