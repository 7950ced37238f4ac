"""A bare loop of confluent-kafka, exactly once: one transactional producer, states in dicts, a commit each 100 ms.

It restores nothing: it is there for its speed alone. Without work it is the floor of this client.
"""

import signal
import time
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.peers.place import Place, routed
from bench.peers.work import State, decide, pack

COMMIT_SECONDS = 0.1
MOST_AT_ONCE, MOST = 500, 10_000  # records: of a read, of a transaction
POLL_SECONDS = 0.01
PATIENCE_SECONDS = 30.0


def main() -> None:
    """Decide until SIGTERM."""
    place, going = Place.told(), [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    consumer = Consumer(
        {
            "bootstrap.servers": place.bootstrap,
            "group.id": place.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "queued.max.messages.kbytes": 65_536,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": place.bootstrap,
            "transactional.id": f"{place.group}-0",
            "linger.ms": 5,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 1_000_000,
            "delivery.report.only.error": True,
            "transaction.timeout.ms": 10_000,
        }
    )
    producer.init_transactions(PATIENCE_SECONDS)
    consumer.subscribe([place.input])
    states: dict[bytes, State] = {}  # by account: each is in one partition only
    while going:
        _transaction(place, consumer, producer, states, going)
    consumer.close()


def _transaction(place: Place, consumer: Any, producer: Any, states: dict[bytes, State], going: list[bool]) -> None:
    topics, produce = place.decisions, producer.produce
    read, ends_at = 0, None
    changed: dict[tuple[int, bytes], State] = {}
    offsets: dict[int, int] = {}
    while going and read < MOST and (ends_at is None or time.monotonic() < ends_at):
        messages = consumer.consume(MOST_AT_ONCE, POLL_SECONDS)
        if messages and ends_at is None:
            ends_at = time.monotonic() + COMMIT_SECONDS
            producer.begin_transaction()
        for message in messages:
            if message.error():
                continue
            partition, key, offset = message.partition(), message.key(), message.offset()
            if place.work:
                which, decision, state = decide(states.get(key), message.value(), partition, offset)
                states[key] = changed[partition, key] = state
                produce(topics[which], decision, key)
            else:
                produce(topics[routed(offset)], message.value()[:660], key)
            offsets[partition] = offset + 1
        read += len(messages)
        producer.poll(0)
    if ends_at is None:
        return
    for (partition, key), state in changed.items():
        produce(place.changelog, pack(state), key, partition)
    producer.send_offsets_to_transaction(
        [TopicPartition(place.input, partition, offset) for partition, offset in offsets.items()],
        consumer.consumer_group_metadata(),
        PATIENCE_SECONDS,
    )
    producer.commit_transaction(PATIENCE_SECONDS)


if __name__ == "__main__":
    main()
