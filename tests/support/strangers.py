"""Another client altogether (confluent-kafka), for tests that look at the broker from outside."""

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic


def create_topic(bootstrap: str, topic: str, partitions: int = 1) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})  # kept: a client that is let go gives up its requests
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(timeout=20)


def produce(bootstrap: str, topic: str, values: list[bytes], *, seconds: float = 10.0) -> None:
    """Send and wait for the broker's word on each; raises the first refusal."""
    refusals: list[KafkaError] = []
    producer = Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": int(seconds * 1000)})
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: refusals.append(error) if error else None)
    producer.flush(20)
    if refusals:
        raise KafkaException(refusals[0])


def consume(bootstrap: str, topic: str, count: int, *, group: str, seconds: float = 30.0) -> list[bytes]:
    """Read up to `count` values from the start as a member of a group."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000,
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([topic])
    values: list[bytes] = []
    end = time.monotonic() + seconds
    try:
        while len(values) < count and time.monotonic() < end:
            message = consumer.poll(0.5)
            if message is not None and not message.error():
                values.append(message.value())
    finally:
        consumer.close()
    return values
