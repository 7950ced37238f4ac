"""A bare loop of aiokafka, exactly once: a transactional producer for each partition, as few lines as it takes.

It restores nothing and knows no rebalance: it is there for its speed alone. Without work it is the floor: what reading
and writing in transactions costs by itself.
"""

import asyncio
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, OffsetAndMetadata, TopicPartition

from bench.peers.place import Place, routed
from bench.peers.work import State, decide, pack

MOST = 500  # records in a transaction
BATCH_BYTES = 1 << 20

Records = list[tuple[bytes, bytes]]


async def main() -> None:
    """Decide until the process is ended."""
    place = Place.told()
    consumer = AIOKafkaConsumer(
        place.input,
        bootstrap_servers=place.bootstrap,
        group_id=place.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
        isolation_level="read_committed",
    )
    await consumer.start()
    while not consumer.assignment():
        await asyncio.sleep(0.02)
    await asyncio.gather(*(_lane(place, consumer, each) for each in consumer.assignment()))


async def _lane(place: Place, consumer: Any, partition: TopicPartition) -> None:
    number = partition.partition
    producer = AIOKafkaProducer(
        bootstrap_servers=place.bootstrap,
        acks="all",
        max_batch_size=BATCH_BYTES,
        transactional_id=f"{place.group}-{number}",
        transaction_timeout_ms=10_000,
        retry_backoff_ms=10,
    )
    await producer.start()
    states: dict[bytes, State] = {}
    topics = (*place.decisions, place.changelog)
    while True:
        records = (await consumer.getmany(partition, timeout_ms=100, max_records=MOST)).get(partition)
        if not records:
            continue
        outgoing = _decided(records, states) if place.work else _copied(records)
        await producer.begin_transaction()
        sent = []
        for topic, written in zip(topics, outgoing, strict=True):
            sent += await _send(producer, topic, number, written)
        await producer.send_offsets_to_transaction(
            {partition: OffsetAndMetadata(records[-1].offset + 1, "")}, place.group
        )
        await producer.commit_transaction()
        for each in sent:
            each.result()


def _decided(records: list[Any], states: dict[bytes, State]) -> tuple[Records, ...]:
    outgoing: tuple[Records, ...] = ([], [], [], [])
    changed = {}
    for record in records:
        key = record.key
        which, decision, state = decide(states.get(key), record.value, record.partition, record.offset)
        states[key] = changed[key] = state
        outgoing[which].append((key, decision))
    outgoing[3].extend((key, pack(state)) for key, state in changed.items())
    return outgoing


def _copied(records: list[Any]) -> tuple[Records, ...]:
    outgoing: tuple[Records, ...] = ([], [], [], [])
    for record in records:
        outgoing[routed(record.offset)].append((record.key, record.value[:660]))
    return outgoing


async def _send(producer: Any, topic: str, partition: int, written: Records) -> list[Any]:
    sent: list[Any] = []
    if not written:
        return sent
    batch = producer.create_batch()
    for key, value in written:
        if batch.append(key=key, value=value, timestamp=None) is None:
            batch.close()
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    batch.close()
    sent.append(await producer.send_batch(batch, topic, partition=partition))
    return sent


if __name__ == "__main__":
    uvloop.run(main())
