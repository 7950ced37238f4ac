"""A cluster in memory: topics that are read back, and what was said."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from support.in_memory_topics import InMemoryTopics
from support.records import consumed

from streams.broker.topics import Topic


class InMemoryCluster:
    """Topics without a prefix, of as many partitions as are written to."""

    def __init__(self) -> None:
        self.topics = InMemoryTopics()
        self.clock = 0.0  # the broker's, seconds since 1970

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        yield self.topics

    async def send(self, topic: Topic, records: Sequence[tuple[bytes, bytes]]) -> None:
        for key, value in records:
            self.put(topic, value, key=key)

    def put(
        self,
        topic: Topic,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int = 0,
        at: float | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> ConsumerRecord:
        """Lay a record on a topic."""
        place = TopicPartition(topic.value, partition)
        record = consumed(
            value,
            key=key,
            topic=place.topic,
            partition=partition,
            offset=self.topics.end(place),
            at=self.clock if at is None else at,
            headers=headers,
        )
        self.topics.logs[place].append(record)
        return record
