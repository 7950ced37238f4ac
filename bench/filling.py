"""Payments that wait on the input topic before anybody decides."""

from collections.abc import Iterable

from confluent_kafka import Producer

from streams.broker.topics import Topic, name_of
from streams.settings import Settings

PATIENCE_SECONDS = 300.0


def fill(settings: Settings, waiting: Iterable[tuple[bytes, bytes]]) -> None:
    """Put keys and values on the input topic, each where Kafka's default partitioner puts its key."""
    producer = Producer(
        {
            "bootstrap.servers": settings.broker.bootstrap_servers,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "batch.size": 200_000,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    topic = name_of(Topic.TRANSACTIONS, settings.topics)
    for key, value in waiting:
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(PATIENCE_SECONDS):
        raise SystemExit("the broker did not take all payments")
