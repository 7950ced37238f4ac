"""A lane: one input partition, read in order, each batch one Kafka transaction.

Decisions, dead letters, and the profile changelog with the next input offset become visible together or not at all.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, ConsumerRecord

from streams.broker.clients import connection
from streams.broker.topics import DECISIONS, Topic, name_of
from streams.crash import give_up
from streams.deciding.agent import DecidingAgent
from streams.deciding.batch import Decided, Outgoing
from streams.deciding.intake import Inlet
from streams.deciding.lane_state import LaneState
from streams.deciding.resumption import note
from streams.settings import Settings

log = structlog.get_logger()

WAIT_SECONDS = 0.2  # for records, before looking whether there is anything else to do
LARGEST_BATCH_BYTES = 2_000_000  # below max.message.bytes of every topic that a lane writes
CLOSE_SECONDS = 5.0
EVICT_EVERY_SECONDS = 10.0
EVICT_LOOK_AT = 500  # profiles looked at each time: 40 us apiece with their tombstones

Told = Callable[[LaneState, Decided], None]


class RecordTooLarge(Exception):
    """A record does not fit into a batch of its own; no broker would take it."""


async def fenced_producer(settings: Settings, partition: int) -> AIOKafkaProducer:
    """The one producer of an input partition. Starting it fences its predecessor and ends an open transaction."""
    lanes = settings.lanes
    producer = AIOKafkaProducer(
        **connection(settings.broker),
        transactional_id=f"{settings.app}-{settings.topics.prefix}{partition}",
        acks="all",
        max_batch_size=LARGEST_BATCH_BYTES,
        max_request_size=4 * LARGEST_BATCH_BYTES,
        request_timeout_ms=lanes.request_timeout_ms,
        transaction_timeout_ms=lanes.transaction_timeout_ms,
        # With the default of 100 the p99 of a transaction is 130 ms: brokers answer CONCURRENT_TRANSACTIONS for a
        # moment after each commit.
        retry_backoff_ms=lanes.retry_backoff_ms,
    )
    try:
        await producer.start()
    except BaseException:  # cancelled, too: nobody else could stop it
        await given_up(producer)
        raise
    return producer


async def given_up(producer: AIOKafkaProducer) -> None:
    """Stop a producer, once or again, and wait no longer than an unreachable broker deserves."""
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.stop(), CLOSE_SECONDS)


@dataclass(slots=True, kw_only=True)
class Lane:
    """Takes, has decided and commits, until it is closed. Any error of an indefinite kind ends the process."""

    settings: Settings
    inlet: Inlet
    producer: AIOKafkaProducer
    state: LaneState
    agent: DecidingAgent
    told: Told
    next: int | None  # the input offset below which everything is committed; None: nothing is yet
    _task: "asyncio.Task[None] | None" = None
    _committing: bool = False
    _closing: bool = False
    _last: int | None = None  # the offset of the last record taken
    _evicted_at: float = 0.0
    _evict_from: int = 0

    def start(self) -> None:
        """Begin where the consumer was sought to."""
        self._evicted_at = time.monotonic()
        self._task = asyncio.create_task(self._run(), name=f"lane {self.state.partition}")

    async def close(self) -> None:
        """Finish the batch in hand, and take no other. The producer is for its owner to stop."""
        self._closing = True
        if self._task is not None:
            if not self._committing:
                self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(self._task, CLOSE_SECONDS)

    async def _run(self) -> None:
        most = self.settings.lanes.max_batch
        pause = self.settings.lanes.min_batch_interval_ms / 1000
        try:
            while not self._closing:
                began = time.monotonic()
                if records := await self.inlet.take(most, WAIT_SECONDS):
                    self._committing = True
                    await self._decide(records)
                    self._committing = False
                elif self._last is not None:  # nothing came: it may have caught up meanwhile
                    self.state.lag = self.inlet.behind(self._last)
                if began - self._evicted_at > EVICT_EVERY_SECONDS:
                    await self._evict()
                if (rest := pause - (time.monotonic() - began)) > 0 and len(records) < most:
                    await asyncio.sleep(rest)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - fenced, or nobody knows what was written
            give_up("lane_failed", error, partition=self.state.partition)

    async def _decide(self, records: Sequence[ConsumerRecord]) -> None:
        self._last = last = records[-1].offset
        self.state.lag = self.inlet.behind(last)
        decided = await self.agent.ask(self.state, records, self.settings.lanes.answer_timeout_seconds)
        decided.profiles.append(note(last + 1))
        await self.producer.begin_transaction()
        await self._commit(decided)
        self.next = last + 1
        self.told(self.state, decided)

    async def _commit(self, decided: Decided) -> None:
        """Send what was decided within the open transaction, and end it once the broker has it all."""
        sent = []
        for topic, outgoing in self._outgoing(decided):
            sent += await self._send(topic, outgoing)
        await asyncio.gather(*sent)
        await self.producer.commit_transaction()

    def _outgoing(self, decided: Decided) -> Iterator[tuple[str, list[Outgoing]]]:
        topics = self.settings.topics
        for outcome, outgoing in decided.decisions.items():
            yield name_of(DECISIONS[outcome], topics), outgoing
        yield name_of(Topic.CANARIES, topics), decided.canaries
        yield name_of(Topic.DEAD_LETTERS, topics), decided.dead_letters
        yield name_of(Topic.PROFILES, topics), decided.profiles

    async def _send(self, topic: str, outgoing: list[Outgoing]) -> list["asyncio.Future[object]"]:
        """Send records as whole batches: one future a batch, not one a record."""
        futures = []
        batch = self.producer.create_batch()
        for each in outgoing:
            if not _append(batch, each):
                futures.append(await self._dispatch(batch, topic))
                batch = self.producer.create_batch()
                _append(batch, each)
            if batch.size() > LARGEST_BATCH_BYTES:  # aiokafka takes a batch's first record whatever its size
                raise RecordTooLarge(topic)
        if batch.record_count():
            futures.append(await self._dispatch(batch, topic))
        return futures

    async def _dispatch(self, batch: Any, topic: str) -> "asyncio.Future[object]":
        batch.close()
        sent: asyncio.Future[object] = await self.producer.send_batch(batch, topic, partition=self.state.partition)
        return sent

    async def _evict(self) -> None:
        """Forget a few idle cards, tombstones first."""
        self._evicted_at = time.monotonic()
        store = self.state.profiles
        horizon = store.newest - self.settings.lanes.profile_idle_days * 86_400
        idle = list(store.idle_since(horizon, most=EVICT_LOOK_AT, after=self._evict_from))
        self._evict_from = self._evict_from + EVICT_LOOK_AT if self._evict_from < len(store) else 0
        if not idle:
            return
        await self.producer.begin_transaction()
        await self._commit(Decided(profiles=[Outgoing(card, None) for card in idle]))
        for card in idle:
            store.forget(card)
        log.info("profiles_forgotten", partition=self.state.partition, cards=len(idle))


def _append(batch: Any, outgoing: Outgoing) -> bool:
    """Whether the record went in; False where the batch is full."""
    key, value, headers = outgoing
    return batch.append(key=key, value=value, timestamp=None, headers=[*headers]) is not None
