"""The cluster as pages and commands use it: topics are read back, and something is said."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from streams.broker.topics import Topic, name_of
from streams.settings import Settings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

MOST_READERS = 2  # at once; who comes next waits
LARGEST_RECORD = 4_500_000  # bytes: a rule set of a million characters of four each; the topic may allow less


class Cluster(Protocol):
    """Both may raise TopicsWrong and what aiokafka raises."""

    def reading(self) -> AbstractAsyncContextManager["AIOKafkaConsumer"]:
        """A consumer of committed records, without a group, that nobody else uses meanwhile."""
        ...

    async def send(self, topic: Topic, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Send keys and values in their order, to where the keys lead; return once the broker has all."""
        ...


class KafkaCluster:
    """The real one, by its settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turns = asyncio.Semaphore(MOST_READERS)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator["AIOKafkaConsumer"]:
        """A consumer."""
        from streams.broker.clients import reader
        from streams.broker.topic_admin import require_topics

        async with self._turns:
            await require_topics(self._settings)
            async with reader(self._settings.broker, max_partition_fetch_bytes=8 << 20) as consumer:
                yield consumer

    async def send(self, topic: Topic, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Send them."""
        from streams.broker.clients import sender
        from streams.broker.topic_admin import require_topics

        await require_topics(self._settings)
        async with sender(self._settings.broker, max_request_size=LARGEST_RECORD) as producer:
            for key, value in records:
                await producer.send_and_wait(name_of(topic, self._settings.topics), key=key, value=value)
