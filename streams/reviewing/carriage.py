"""Sends what cases have to tell to Kafka: a batch and the note of it in one transaction."""

import asyncio
from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaProducer

from streams.broker.clients import reader, sender
from streams.broker.reading import partitions_of, whole
from streams.broker.topics import Topic, name_of
from streams.reviewing.publications import Telling
from streams.reviewing.store import Delivery
from streams.settings import Settings

OUTBOX = b"outbox"  # the one key of the state topic
TRANSACTION_TIMEOUT_MS = 30_000

_delivery = msgspec.json.Decoder(Delivery)


class KafkaCarriage:
    """One transactional producer, so that a second console fences the first."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._state = name_of(Topic.CONSOLE_STATE, settings.topics)
        self._producer: AIOKafkaProducer  # made in start: it needs the running loop

    async def start(self) -> Delivery | None:
        """Fence whoever sent before, which ends its open transaction, and read the note of the last that was not."""
        self._producer = sender(
            self._settings.broker,
            transactional_id=self._settings.own("console"),
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        )
        await self._producer.start()
        note: Delivery | None = None
        async with reader(self._settings.broker) as consumer:
            async for records in whole(consumer, partitions_of(self._settings, [Topic.CONSOLE_STATE])):
                for record in records:
                    if record.key == OUTBOX and record.value is not None:
                        note = _delivery.decode(record.value)
        return note

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def carry(self, told: Sequence[Telling], note: Delivery) -> None:
        """Send all or nothing; an error leaves the process to be restarted."""
        async with self._producer.transaction():
            sent = [
                await self._producer.send(
                    name_of(each.topic, self._settings.topics),
                    key=each.key.encode(),
                    value=each.value.encode(),
                    partition=each.partition,
                )
                for each in told
            ]
            sent.append(
                await self._producer.send(self._state, key=OUTBOX, value=msgspec.json.encode(note), partition=0)
            )
            await asyncio.gather(*sent)
