"""Writes what was decided: each time one Kafka transaction, whatever partitions it is about.

Decisions, dead letters, and the profile changelog with the next input offset become visible together or not at all.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.broker.topics import DECISIONS, Topic, name_of
from streams.deciding.batch import Decided, Outgoing
from streams.deciding.transactional import LARGEST_BATCH_BYTES
from streams.settings import Settings


class RecordTooLarge(Exception):
    """A record does not fit into a batch of its own; no broker would take it."""


class Writer:
    """Writes by one producer; one transaction at a time. What it raises leaves nobody knowing what was written."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer) -> None:
        self._topics = settings.topics
        self._producer = producer

    async def transact(self, batches: Iterable[tuple[int, Decided]]) -> None:
        """Send batches, each to its partition of every topic, and commit once the broker has it all."""
        await self._producer.begin_transaction()
        sent = []
        for partition, decided in batches:
            for topic, outgoing in self._outgoing(decided):
                sent += await self._send(topic, partition, outgoing)
        await asyncio.gather(*sent)
        await self._producer.commit_transaction()

    def _outgoing(self, decided: Decided) -> Iterator[tuple[str, list[Outgoing]]]:
        for outcome, outgoing in decided.decisions.items():
            yield name_of(DECISIONS[outcome], self._topics), outgoing
        yield name_of(Topic.CANARIES, self._topics), decided.canaries
        yield name_of(Topic.DEAD_LETTERS, self._topics), decided.dead_letters
        yield name_of(Topic.PROFILES, self._topics), decided.profiles

    async def _send(self, topic: str, partition: int, outgoing: list[Outgoing]) -> list["asyncio.Future[object]"]:
        """Send records as whole batches: one future a batch, not one a record."""
        if not outgoing:
            return []
        futures = []
        batch = self._producer.create_batch()
        for each in outgoing:
            if not _append(batch, each):
                futures.append(await self._dispatch(batch, topic, partition))
                batch = self._producer.create_batch()
                _append(batch, each)
            if batch.size() > LARGEST_BATCH_BYTES:  # aiokafka takes a batch's first record whatever its size
                raise RecordTooLarge(topic)
        futures.append(await self._dispatch(batch, topic, partition))
        return futures

    async def _dispatch(self, batch: Any, topic: str, partition: int) -> "asyncio.Future[object]":
        batch.close()
        sent: asyncio.Future[object] = await self._producer.send_batch(batch, topic, partition=partition)
        return sent


def _append(batch: Any, outgoing: Outgoing) -> bool:
    """Whether the record went in; False where the batch is full."""
    key, value, headers = outgoing
    return batch.append(key=key, value=value, timestamp=None, headers=[*headers]) is not None
