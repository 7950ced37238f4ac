"""The reconciler process: what was decided without the model is scored again once it is back, and published."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from models.alert import Alert, AlertStatus
from rules.decision import InputPosition
from rules.revision import Revision
from streams.alerting.heart import Heart
from streams.broker.clients import reader
from streams.broker.reading import begin_at, partitions_of, place
from streams.broker.topics import DECISIONS, Topic
from streams.deciding.watch import MODEL, SCORER
from streams.lifetime import live
from streams.metrics.endpoint import expose
from streams.metrics.reconciler import ReconcilerMetrics
from streams.priority import give_way
from streams.ready_signal import tell_ready
from streams.reconciling.backlog import Backlog, Sighting
from streams.reconciling.glance import glance
from streams.reconciling.rescoring import Lain, Rescorer
from streams.reconciling.revisions import Revisions
from streams.reconciling.settlement import Settlement
from streams.settings import Settings
from streams.wire.alert import read_alert
from streams.wire.codec import MalformedRecord, read_decision

log = structlog.get_logger()

POLL_MS = 250  # longer than a fetch may wait
FETCH_BYTES, FETCH_WAIT_MS = 1 << 18, 200  # in no hurry: else each batch of each lane costs the broker an answer
MOST_RECORDS = 2000  # in one poll: about 10 ms at a glance, and half a second to score them all
NOTE_SECONDS = 5.0  # between transactions that only say how far the decisions are done with


class ReconcilerProcess:
    """Reads decisions and alerts without a group, decisions from where its last transaction says.

    What is ripe is scored again and published together with how far it came. Until there is an answer that can be used
    it waits, and so do the decisions, on their topics.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = ReconcilerMetrics(self._waits_seconds)
        self._revisions = Revisions(settings)
        self._rescorer = Rescorer(settings)
        self._heart = Heart(settings, "reconciler")
        [self._alerts] = partitions_of(settings, [Topic.ALERTS])
        self._backlog: Backlog[TopicPartition] = Backlog({})
        self._settlement: Settlement[TopicPartition] = Settlement()
        self._alerts_until = 0
        self._in_hand_ms: int | None = None  # the broker's time of the earliest decision that is being scored
        self._noted_at = 0.0

    async def run(self) -> None:
        """Reconcile until cancelled."""
        metrics = self._settings.metrics
        port = expose(self._metrics.registry, metrics.host, metrics.reconciler_port)
        async with contextlib.AsyncExitStack() as opened:
            done, _ = await asyncio.gather(self._revisions.start(), self._rescorer.start())
            opened.push_async_callback(self._revisions.stop)
            opened.push_async_callback(self._rescorer.stop)
            opened.push_async_callback(self._heart.stop)
            await self._heart.start()
            consumer = reader(
                self._settings.broker,
                fetch_min_bytes=FETCH_BYTES,
                fetch_max_wait_ms=FETCH_WAIT_MS,
                max_partition_fetch_bytes=2 << 20,
            )
            opened.push_async_callback(consumer.stop)
            await consumer.start()
            await self._begin(consumer, done)
            log.info("reconciler_ready", metrics_port=port)
            tell_ready("reconciler")
            while True:
                await self._round(consumer)

    async def _begin(self, consumer: AIOKafkaConsumer, done: Mapping[str, int]) -> None:
        """Stand where the last transaction left off; where its word does not fit the topic, at the beginning.

        Alerts are read from the beginning each time: they are few.
        """
        partitions = partitions_of(self._settings, DECISIONS.values())
        beginnings, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for each in partitions:
            noted = done.get(place(each), 0)
            self._backlog.next[each] = noted if beginnings[each] <= noted <= ends[each] else beginnings[each]
        begin_at(consumer, self._backlog.next | dict(await consumer.beginning_offsets([self._alerts])))
        self._alerts_until = (await consumer.end_offsets([self._alerts]))[self._alerts]

    async def _round(self, consumer: AIOKafkaConsumer) -> None:
        """One poll's worth of decisions: what is ripe is scored, published and done with."""
        polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=MOST_RECORDS)
        for record in polled.pop(self._alerts, ()):
            self._hear(record)
        seen = {partition: [self._sighting(each) for each in records] for partition, records in polled.items()}
        self._backlog.proven(max((each.at_ms for some in seen.values() for each in some if each.proves), default=-1))
        ripe = [each for partition, sightings in seen.items() for each in self._backlog.take(partition, sightings)]
        revisions = await self._revised(ripe)
        settled = await self._settled(consumer)
        if revisions or settled or (seen and time.monotonic() - self._noted_at > NOTE_SECONDS):
            await self._revisions.publish(revisions, settled, self._backlog.next)
            self._noted_at = time.monotonic()
            self._metrics.revised(revisions)
        for partition in self._backlog.ripened():
            consumer.seek(partition, self._backlog.next[partition])
        await asyncio.sleep(0)

    def _sighting(self, record: ConsumerRecord) -> Sighting[ConsumerRecord]:
        seen = glance(record)
        if seen is None:
            self._refuse(record)
            return Sighting(offset=record.offset, at_ms=record.timestamp, entry=record)
        return Sighting(
            offset=record.offset,
            at_ms=record.timestamp,
            proves=seen.answered,
            due=seen.unmodelled,
            doubted=seen.doubted,
            entry=record,
        )

    async def _revised(self, records: Sequence[ConsumerRecord]) -> list[Revision]:
        self._in_hand_ms = min((each.timestamp for each in records), default=None)
        revisions = await self._rescorer.revised([each for each in map(self._found, records) if each is not None])
        self._in_hand_ms = None
        return revisions

    def _found(self, record: ConsumerRecord) -> Lain | None:
        try:
            decision = read_decision(record.value)
        except MalformedRecord:
            self._refuse(record)
            return None
        return decision, InputPosition(topic=record.topic, partition=record.partition, offset=record.offset)

    def _hear(self, record: ConsumerRecord) -> None:
        try:
            alert = read_alert(record.value).data
        except MalformedRecord:
            return
        if alert.status is AlertStatus.RESOLVED and alert.component in (SCORER, MODEL):
            self._backlog.proven(record.timestamp)  # by trials in shadow, if not by payments
        self._settlement.heard(alert)

    async def _settled(self, consumer: AIOKafkaConsumer) -> list[Alert]:
        if await consumer.position(self._alerts) < self._alerts_until:
            return []  # it may be that they were settled before this process began
        if self._settlement.asks:
            self._settlement.told(await consumer.end_offsets(list(self._backlog.next)))
        done = {each: self._backlog.done(each, await consumer.position(each)) for each in self._backlog.next}
        return self._settlement.settled(done, datetime.now(UTC))

    def _refuse(self, record: ConsumerRecord) -> None:
        """It says nothing that could be looked at again; what it was meant to be is for the auditor to miss."""
        log.error("decision_unreadable", topic=record.topic, partition=record.partition, offset=record.offset)
        self._metrics.refused()

    def _waits_seconds(self) -> float:
        waiting = [since for since in (self._backlog.waits_since_ms, self._in_hand_ms) if since is not None]
        return max(0.0, time.time() - min(waiting) / 1000) if waiting else 0.0


def run(settings: Settings) -> None:
    """Run the reconciler until it is told to stop; exit 70 on anything it cannot know the state of."""
    give_way(19)  # payments are decided first
    live("reconciler", lambda: ReconcilerProcess(settings).run())
