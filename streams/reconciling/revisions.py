"""Publishes revisions, settled incidents and how far the decisions are done with, in one Kafka transaction."""

import asyncio
from collections.abc import Mapping, Sequence

import orjson
from aiokafka import AIOKafkaProducer, TopicPartition

from models.alert import Alert
from rules.incidents import KINDS
from rules.revision import Revision
from streams.broker.clients import reader, sender
from streams.broker.reading import partitions_of, place, whole
from streams.broker.topics import Topic, name_of
from streams.settings import Settings
from streams.wire.alert import AlertEvent, event_of, write_alert
from streams.wire.codec import write_revision

SOURCE = "/holdfast/reconciler"  # as CloudEvents have it
NEXT = b"next"  # the one key of the state topic
TRANSACTION_TIMEOUT_MS = 30_000


class Revisions:
    """One transactional producer, so that a second reconciler fences the first, and a decision is revised once.

    No consumer group: Kafka was seen to hand out committed offsets of minutes before (streams/deciding/resumption.py),
    and a decision would be revised again.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._revised = name_of(Topic.REVISED, settings.topics)
        self._state = name_of(Topic.RECONCILER_STATE, settings.topics)
        self._alerts = name_of(Topic.ALERTS, settings.topics)
        self._producer: AIOKafkaProducer  # made in start: it needs the running loop

    async def start(self) -> Mapping[str, int]:
        """Fence whoever published before, and say how far it came: the next offset by partition's name."""
        self._producer = sender(
            self._settings.broker,
            transactional_id=self._settings.own("reconciler"),
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        )
        await self._producer.start()
        return await self._done()

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def publish(
        self, revisions: Sequence[Revision], settled: Sequence[Alert], done: Mapping[TopicPartition, int]
    ) -> None:
        """Publish all or nothing; an error leaves the process to be restarted."""
        async with self._producer.transaction():
            sent = [
                await self._producer.send(
                    self._revised,
                    key=each.pan_token.encode(),
                    value=write_revision(each),
                    partition=each.decision.partition,
                )
                for each in revisions
            ]
            for alert in settled:
                key, event = alert.dedup_key.encode(), write_alert(_event(alert))
                sent.append(await self._producer.send(self._alerts, key=key, value=event, partition=0))
            value = orjson.dumps({place(partition): offset for partition, offset in done.items()})
            sent.append(await self._producer.send(self._state, key=NEXT, value=value, partition=0))
            await asyncio.gather(*sent)

    async def _done(self) -> Mapping[str, int]:
        done: dict[str, int] = {}
        async with reader(self._settings.broker) as consumer:
            async for records in whole(consumer, partitions_of(self._settings, [Topic.RECONCILER_STATE])):
                for record in records:
                    if record.key == NEXT and record.value is not None:
                        done = orjson.loads(record.value)
        return done


def _event(alert: Alert) -> AlertEvent:
    """A settled incident as an event; the same id, whoever should say it again."""
    kind = KINDS[alert.reason]
    return event_of(
        alert,
        event_id=f"{alert.dedup_key}/{alert.started_at.isoformat()}/{alert.status}",
        source=SOURCE,
        area=kind.area,
        what=kind.what,
        time=alert.settled_at or alert.started_at,
    )
