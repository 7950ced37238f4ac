"""`holdfast audit --follow`: conservation watched while it happens, for as long as topics are written."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from streams.auditing.audit import LOOK_BACK_SECONDS
from streams.auditing.entries import NotAnEnding, identity, take_ending
from streams.auditing.horizon import SKEW_SECONDS, Horizon
from streams.auditing.live_ledger import Bounds, LiveLedger
from streams.broker.clients import admin, reader
from streams.broker.groups import group_offsets
from streams.broker.reading import Offsets, begin_at, partitions_of, places_at
from streams.broker.topic_admin import require_topics
from streams.broker.topics import DECISIONS, Topic
from streams.interruption import cancelled_by_signals
from streams.lifetime import live
from streams.logs import configure_logs
from streams.metrics.auditor import AuditMetrics
from streams.metrics.endpoint import expose
from streams.ready_signal import tell_ready
from streams.settings import AuditSettings, Settings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

log = structlog.get_logger()

LAST_SECONDS = 600.0  # counted from so long ago, where nothing else is said
POLL_MS = 200
FETCH_BYTES, FETCH_WAIT_MS = 1 << 16, 150  # in no hurry: a poll's worth at a time
MOST_RECORDS = 2000  # in one poll: about 0.1 s of reading
SETTLE_SECONDS = 1.0
ASK_SECONDS = 10.0  # a broker that does not say for so long where its topics end is away
RETRY_SECONDS, RETRY_MS = 1.0, 1000  # aiokafka logs each try
STOP_SECONDS = 5.0
REMIND_SECONDS = 60.0  # between lines about what is still unaccounted

ENDINGS = (*DECISIONS.values(), Topic.DEAD_LETTERS)


class TopicRewound(Exception):
    """A topic ends before a place that was read: it was made anew, or its broker lost what it had acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """From where on topics are read, and transactions counted."""

    at: float  # seconds since the epoch: nothing of before is known
    places: Offsets  # of all topics
    counted_from: dict[int, int]  # by partition


async def beginning(settings: Settings, since: float) -> Beginning:
    """Count from the moment `since` on, and from where the workers stand if that is earlier.

    An hour before is read too, so that repeats of payments decided then are recognised. Raises what aiokafka raises.
    """
    inputs, outputs = partitions_of(settings, [Topic.TRANSACTIONS]), partitions_of(settings, ENDINGS)
    back = since - LOOK_BACK_SECONDS
    async with AsyncExitStack() as opened:
        consumer, client = reader(settings.broker), admin(settings.broker)
        for each in (consumer, client):
            opened.push_async_callback(each.stop if each is consumer else each.close)
            await each.start()
        committed = await group_offsets(client, settings.lanes_group, inputs)
        first = await consumer.beginning_offsets(inputs)
        counted = {
            each: max(first[each], min(place, committed.get(each, 0)))
            for each, place in (await places_at(consumer, inputs, since)).items()
        }
        places = await places_at(consumer, inputs, back)
        places = {each: min(place, counted[each]) for each, place in places.items()}
        places |= await places_at(consumer, outputs, back - SKEW_SECONDS)
    return Beginning(at=back, places=places, counted_from={each.partition: place for each, place in counted.items()})


class Follower:
    """Reads topics by assignment, without a group, and keeps the live ledger; what it holds is bounded by settings.

    One for a process: it stands at a place in each topic, and a new connection goes on from there.
    """

    def __init__(self, settings: Settings, start: Beginning, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._inputs = partitions_of(settings, [Topic.TRANSACTIONS])
        self._endings: dict[int, list[TopicPartition]] = {each.partition: [] for each in self._inputs}
        for place in partitions_of(settings, ENDINGS):
            self._endings[place.partition].append(place)
        self._input_name = self._inputs[0].topic
        self._dead_letter_name = partitions_of(settings, [Topic.DEAD_LETTERS])[0].topic
        self._next = dict(start.places)
        self._horizon = Horizon(self._next)
        self._known = start.at
        begins = {each.partition: start.places[each] for each in self._inputs}
        self._ledger = LiveLedger(_bounds(settings.audit), begins, start.counted_from)
        self._metrics = AuditMetrics(lambda: clock() - self._known)
        self._said: tuple[int, float] = (0, 0.0)  # how many unaccounted, and when
        self._contradictions = 0

    @property
    def metrics(self) -> AuditMetrics:
        """What to expose."""
        return self._metrics

    async def follow(self, consumer: "AIOKafkaConsumer") -> None:
        """Read on from where it stands, until cancelled or the connection is lost. Raises KafkaError, TimeoutError."""
        begin_at(consumer, self._next)
        loop, settle_at = asyncio.get_running_loop(), 0.0
        while True:
            await self.read(consumer)
            if loop.time() >= settle_at:
                await self.conclude(consumer)
                settle_at = loop.time() + SETTLE_SECONDS
            await asyncio.sleep(0)

    async def read(self, consumer: "AIOKafkaConsumer") -> None:
        """Take down what one poll brings; what there is no room for is not fetched."""
        try:
            polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=MOST_RECORDS)
        except OffsetOutOfRangeError as gone:
            await self._skip(consumer, gone.args[0])
            return
        for partition, records in polled.items():
            self._take(partition, records)
        await self._note_positions(consumer)
        self._keep_within_bounds(consumer)

    async def conclude(self, consumer: "AIOKafkaConsumer") -> None:
        """Say what is unaccounted, of the latest moment that is known; and ask where topics end now, to know more."""
        self._settle()
        await self._ask(consumer)

    def _take(self, partition: "TopicPartition", records: list[Any]) -> None:
        take = self._transaction if partition.topic == self._input_name else self._ending
        for record in records:
            take(record)
        self._next[partition] = records[-1].offset + 1
        self._horizon.passed(partition, records[-1].timestamp / 1000, self._clock())

    def _transaction(self, record: Any) -> None:
        if (named := identity(record)) is not None:
            self._ledger.transaction(record.partition, record.offset, record.timestamp / 1000, *named)

    def _ending(self, record: Any) -> None:
        try:
            take_ending(self._ledger, record, source=self._input_name, dead_letters=self._dead_letter_name)
        except NotAnEnding:
            self._ledger.unreadable()

    async def _note_positions(self, consumer: "AIOKafkaConsumer") -> None:
        """By position, not by record: what lies last may be markers, or records that were taken back."""
        for place in self._next:
            self._next[place] = await consumer.position(place)
            self._horizon.reached(place, self._next[place])

    async def _ask(self, consumer: "AIOKafkaConsumer") -> None:
        at = self._clock()
        async with asyncio.timeout(ASK_SECONDS):
            self._horizon.ask(at, await consumer.end_offsets(list(self._next)))

    async def _skip(self, consumer: "AIOKafkaConsumer", gone: "Iterable[TopicPartition]") -> None:
        """Go on behind what was deleted before it was read."""
        for place, first in (await consumer.beginning_offsets(list(gone))).items():
            unread = first - self._next[place]
            if unread <= 0:
                raise TopicRewound(f"{place.topic}-{place.partition} ends before {self._next[place]}")
            log.error("deleted_unread", topic=place.topic, partition=place.partition, records=unread)
            self._metrics.skipped(unread)
            if place.topic == self._input_name:
                self._ledger.skipped(place.partition, first)
            consumer.seek(place, first)
            self._next[place] = first

    def _settle(self) -> None:
        now = self._clock()
        for partition, places in self._endings.items():
            known = self._horizon.known(places)
            if known is not None:
                self._ledger.settle(partition, known, now)
        self._known = self._horizon.known() or self._known
        self._metrics.settled(unaccounted=self._ledger.unaccounted, outstanding=self._ledger.outstanding)
        self._metrics.ended(self._ledger.endings.items(), self._ledger.contradictions.items())
        self._say(now)

    def _say(self, now: float) -> None:
        unaccounted, (said, said_at) = self._ledger.unaccounted or 0, self._said
        if unaccounted and (not said or now >= said_at + REMIND_SECONDS):
            samples = [f"{partition}:{offset}" for partition, offset in self._ledger.samples()]
            lag = round(now - self._known, 1)
            log.error("transactions_unaccounted", transactions=unaccounted, samples=samples, lag_seconds=lag)
            self._said = unaccounted, now
        elif said and not unaccounted:
            log.info("all_accounted_for")
            self._said = 0, now
        if self._ledger.contradictions.total() > self._contradictions:
            self._contradictions = self._ledger.contradictions.total()
            log.error("contradictory_endings", **{str(kind): n for kind, n in self._ledger.contradictions.items()})

    def _keep_within_bounds(self, consumer: "AIOKafkaConsumer") -> None:
        """Neither transactions nor their endings run further ahead of each other than may be held."""
        paused = consumer.paused()
        wait = {each for each in self._inputs if not self._ledger.has_room(each.partition)}
        for partition, places in self._endings.items():
            if not self._ledger.has_room_for_endings(partition):
                wait.update(places)
        consumer.pause(*(wait - paused))
        consumer.resume(*(paused - wait))


def _bounds(settings: AuditSettings) -> Bounds:
    return Bounds(
        grace_seconds=settings.grace_seconds,
        most_outstanding=settings.most_outstanding,
        most_remembered=settings.most_remembered,
        remember_seconds=settings.remember_hours * 3600,
    )


def run(settings: Settings, since: float | None) -> None:
    """Follow until SIGTERM or Ctrl-C, through outages of the broker; from `since`, seconds since the epoch, on.

    Raises TopicsWrong, or KafkaConnectionError where there is no broker to begin with; ends with 70 on what it cannot
    go on from.
    """
    configure_logs("auditor")
    with contextlib.suppress(asyncio.CancelledError):
        start = asyncio.run(_begin(settings, time.time() - LAST_SECONDS if since is None else since))
        live("auditor", lambda: _follow(settings, start))


async def _begin(settings: Settings, since: float) -> Beginning:
    with cancelled_by_signals():
        await require_topics(settings)
        return await beginning(settings, since)


async def _follow(settings: Settings, start: Beginning) -> None:
    follower = Follower(settings, start)
    port = expose(follower.metrics.registry, settings.metrics.host, settings.metrics.audit_port)
    log.info("auditor_ready", metrics_port=port, counted_from=start.counted_from)
    tell_ready("auditor")
    while True:
        await _connected(settings, follower)
        await asyncio.sleep(RETRY_SECONDS)


async def _connected(settings: Settings, follower: Follower) -> None:
    """Follow until the connection is lost."""
    consumer = reader(
        settings.broker,
        auto_offset_reset="none",
        fetch_min_bytes=FETCH_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        retry_backoff_ms=RETRY_MS,
    )
    try:
        await consumer.start()
        await follower.follow(consumer)
    except (KafkaError, TimeoutError) as error:
        log.warning("connection_lost", error=repr(error))
    finally:
        # In a task of its own: what it waits for may have been cancelled, and that is not for us.
        _, hanging = await asyncio.wait([asyncio.create_task(consumer.stop())], timeout=STOP_SECONDS)
        for task in hanging:
            task.cancel()
