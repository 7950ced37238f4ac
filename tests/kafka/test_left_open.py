"""A transaction that Kafka has left open: payments behind it wait, all others do not, and none is decided twice.

Kafka 4.2.1 does not do so by itself. Here a transaction writes to partitions that its coordinator was never told of, so
that it writes no markers there: what Kafka 4.3 leaves behind, seen from the topics.
"""

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest
from aiokafka import TopicPartition
from support.outside import Outside, outside_of
from support.processes import running_worker

from streams.broker.embedded import EmbeddedKafka
from streams.broker.kafka_launch import KafkaOptions
from streams.broker.topics import Topic
from streams.deciding.left_open import BATCHES, left_open
from streams.deciding.ownership import lock, take_over
from streams.deciding.transactional import fencing_producer
from streams.settings import Settings

pytestmark = pytest.mark.kafka

STUCK, WELL = 0, 1
EARLIER, NEXT = "lanes-earlier", "lanes-next"


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """A broker that believes a producer which says that its transaction has that partition."""
    options = KafkaOptions(heap_mb=384, properties={"transaction.partition.verification.enable": "false"})
    with (
        EmbeddedKafka(tmp_path_factory.mktemp("kafka"), options) as broker,
        outside_of(broker.bootstrap, "leftopen.") as there,
    ):
        yield there


async def write(settings: Settings, topic: str, *, unknown: bool) -> None:
    """Write a record as the owner of the partition, and go away in the middle of the transaction."""
    producer = await fencing_producer(settings, EARLIER)
    await claim(settings, EARLIER, [STUCK])
    await producer.begin_transaction()
    if unknown:
        producer._txn_manager._txn_partitions.add(TopicPartition(topic, STUCK))
    await (await producer.send(topic, value=b"{}", key=b"tok_left", partition=STUCK))
    await producer.stop()


async def claim(settings: Settings, owner: str, partitions: list[int]) -> None:
    locks = {each: await lock(settings, each) for each in partitions}
    await take_over(settings, locks, owner)
    for each in locks.values():
        await each.stop()


async def succeed(settings: Settings) -> dict[int, tuple[str, ...]]:
    await claim(settings, NEXT, [STUCK, WELL])
    return await left_open(settings, [STUCK, WELL], BATCHES)


async def abort(settings: Settings, topic: str) -> None:
    """Write the marker that is missing, by a transaction of the same producer."""
    producer = await fencing_producer(settings, EARLIER)
    await producer.begin_transaction()
    await (await producer.send(topic, value=b"{}", key=b"tok_left", partition=STUCK))
    await producer.abort_transaction()
    await producer.stop()


@pytest.mark.parametrize("topic", [Topic.APPROVE, Topic.PROFILES])
def test_what_the_fence_did_not_end_is_found_and_what_it_did_is_not(outside: Outside, topic: Topic) -> None:
    name, settings = outside.name(topic), outside.settings

    asyncio.run(write(settings, name, unknown=False))
    assert asyncio.run(succeed(settings)) == {}

    asyncio.run(write(settings, name, unknown=True))
    left = asyncio.run(succeed(settings))
    assert list(left) == [STUCK]
    assert [place.split(" from ")[0] for place in left[STUCK]] == [f"{name}-{STUCK}"]

    asyncio.run(abort(settings, name))
    assert asyncio.run(succeed(settings)) == {}


def test_a_worker_decides_nothing_there_until_it_is_aborted_and_everything_elsewhere(outside: Outside) -> None:
    name, alerts = outside.name(Topic.REVIEW), partial(outside.alerts, "kafka-transactions")
    asyncio.run(write(outside.settings, name, unknown=True))
    waiting = outside.pay(partition=STUCK)
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()) as worker:
        outside.decided(partition=WELL)
        outside.until(lambda: len(alerts()) == 1)
        assert f"{name}-{STUCK} from offset" in worker.said()
        assert worker.alive()
    assert waiting not in {each["transaction_id"] for each in outside.decisions()}

    asyncio.run(abort(outside.settings, name))
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()):
        assert outside.decision(waiting)["input"]["partition"] == STUCK
        outside.until(lambda: len(alerts()) == 2)
    assert [(each["status"], each["reason"]) for each in alerts()] == [
        ("open", "TRANSACTION_LEFT_OPEN"),
        ("resolved", "TRANSACTION_LEFT_OPEN"),
    ]
    assert outside.audit().holds
