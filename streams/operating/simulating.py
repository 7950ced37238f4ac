"""Sends simulated traffic: transactions at a steady rate, labels when their time comes, bad records where wanted."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from models.simulator.policy import TrafficPolicy
from rules.decision import Outcome
from streams.broker.reading import POLL_MS, begin_at, partitions_of
from streams.broker.topics import DECISIONS, Topic, name_of
from streams.operating.aftermath import Aftermath
from streams.operating.pacing import TokenBucket
from streams.operating.simulated_run import BadRecords, SimulatedRun
from streams.settings import Settings
from streams.wire.codec import write_label, write_transaction

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

TICK_SECONDS = 0.005
LINGER_MS = 10  # as producers do that send much: a request for each payment would cost the broker more than deciding it
TELL_SECONDS = 0.2
AHEAD = timedelta(seconds=60)  # the contract allows five minutes: the clocks of a wall and of a stopwatch differ
LARGEST_RECORD = 2_000_000  # some bad records are large
BATCH_BYTES = 131_072


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationReport:
    """What was sent so far, or in all."""

    sent: int  # good transactions
    bad_sent: int
    labels_sent: int
    labels_pending: int  # said of what was sent, but received only after the end
    frauds: int
    blocked: int  # decisions that were read, if the run reacts to them
    seconds: float
    simulated_from: datetime
    simulated_to: datetime
    reached_present: bool  # it ended because simulated time did


OnProgress = Callable[[SimulationReport], None]


async def simulate(
    settings: Settings,
    *,
    rate: float,
    seconds: float | None,
    count: int | None = None,
    time_compression: float | None = None,
    seed: int = 1,
    policy: TrafficPolicy | None = None,
    bad: float = 0.0,
    react: bool = True,
    on_progress: OnProgress | None = None,
) -> SimulationReport:
    """Send `rate` transactions a second for `seconds`, or `count` of them, or until cancelled; then say what was sent.

    `policy` says who pays how (its start and seed are set here); `bad` is the share of bad records among all. With
    `react`, labels follow decisions: a wrongly blocked holder complains, a blocked fraud is charged back by nobody.
    For `time_compression` and the time at which a run starts see `simulated_run`. Raises what the broker refuses.
    """
    from streams.broker.topic_admin import require_topics

    await require_topics(settings)
    lasts = min((each for each in (seconds, count and count / rate) if each is not None), default=None)
    run = SimulatedRun(
        replace(policy or TrafficPolicy(), seed=seed),
        now=datetime.now(UTC),
        rate=rate,
        seconds=lasts,
        time_compression=time_compression,
    )
    aftermath = Aftermath(react=react)
    async with AsyncExitStack() as opened:
        sending = _Sending(settings, await _producer(opened, settings), run, aftermath, BadRecords(bad, seed))
        if react:
            await _follow_decisions(opened, settings, sending)
        return await sending.run(rate, seconds=seconds, count=count, on_progress=on_progress)


class _Sending:
    """The loop of a run: every few milliseconds what is due."""

    def __init__(
        self,
        settings: Settings,
        producer: "AIOKafkaProducer",
        run: SimulatedRun,
        aftermath: Aftermath,
        bad_records: BadRecords,
    ) -> None:
        self._transactions = name_of(Topic.TRANSACTIONS, settings.topics)
        self._labels = name_of(Topic.LABELS, settings.topics)
        self._producer = producer
        self._run = run
        self._aftermath = aftermath
        self._bad_records = bad_records
        self._simulated_now = run.span.start
        self._began = time.monotonic()
        self._sent = self._bad_sent = self._labels_sent = self._frauds = self._blocked = 0
        self._present = False
        self._failure: BaseException | None = None

    async def run(
        self, rate: float, *, seconds: float | None, count: int | None, on_progress: OnProgress | None
    ) -> SimulationReport:
        """Send until it is over."""
        self._began = told_at = time.monotonic()
        bucket = TokenBucket(rate, now=self._began)
        while not self._over(seconds, count):
            now = time.monotonic()
            await self._send(bucket.take(now, None if count is None else count - self._sent), now)
            if on_progress is not None and now - told_at >= TELL_SECONDS:
                told_at = now
                on_progress(self.report())
            await asyncio.sleep(max(0.0, TICK_SECONDS - (time.monotonic() - now)))
        await self._producer.flush()
        self._raise_failure()
        report = self.report()
        if on_progress is not None:
            on_progress(report)
        return report

    def decided(self, outcome: Outcome, transaction_id: str) -> None:
        """A decision was read."""
        self._blocked += outcome is Outcome.BLOCK
        self._aftermath.decided(transaction_id, outcome)

    def report(self) -> SimulationReport:
        """How far it is."""
        return SimulationReport(
            sent=self._sent,
            bad_sent=self._bad_sent,
            labels_sent=self._labels_sent,
            labels_pending=self._aftermath.pending,
            frauds=self._frauds,
            blocked=self._blocked,
            seconds=time.monotonic() - self._began,
            simulated_from=self._run.span.start,
            simulated_to=self._simulated_now,
            reached_present=self._present,
        )

    def _over(self, seconds: float | None, count: int | None) -> bool:
        self._raise_failure()
        if count is not None and self._sent >= count:
            return True
        return self._present or (seconds is not None and time.monotonic() - self._began >= seconds)

    async def _send(self, due: int, now: float) -> None:
        wall = datetime.now(UTC)
        for _ in range(due):
            simulated = self._run.pay(now - self._began)
            transaction = simulated.transaction
            if transaction.event_time > wall + AHEAD:
                self._present = True
                return
            self._simulated_now = max(self._simulated_now, transaction.event_time)
            await self._put(self._transactions, transaction.pan_token.encode(), write_transaction(transaction))
            self._sent += 1
            self._frauds += simulated.is_fraud
            self._aftermath.sent(simulated, now)
            for key, value in self._bad_records.after(transaction, wall):
                await self._put(self._transactions, key, value)
                self._bad_sent += 1
        for label in self._aftermath.due(self._simulated_now):
            await self._put(self._labels, label.transaction_id.encode(), write_label(label))
            self._labels_sent += 1

    async def _put(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        future = await self._producer.send(topic, key=key, value=value)
        future.add_done_callback(self.note_failure)

    def note_failure(self, sent: "asyncio.Future[Any]") -> None:
        """Something of the run is done; if it failed, the run ends with that."""
        if not sent.cancelled() and sent.exception() is not None:
            self._failure = self._failure or sent.exception()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


async def _producer(opened: AsyncExitStack, settings: Settings) -> "AIOKafkaProducer":
    from streams.broker.clients import sender

    producer = sender(settings.broker, linger_ms=LINGER_MS, max_request_size=LARGEST_RECORD, max_batch_size=BATCH_BYTES)
    opened.push_async_callback(producer.stop)
    await producer.start()
    return producer


class _Id(msgspec.Struct):
    """Of a decision only whose it is; the topic says the rest."""

    transaction_id: str


async def _follow_decisions(opened: AsyncExitStack, settings: Settings, sending: _Sending) -> None:
    """Hear of decisions from now on, in the background."""
    from streams.broker.clients import reader

    consumer = reader(settings.broker)
    opened.push_async_callback(consumer.stop)
    await consumer.start()
    partitions = partitions_of(settings, DECISIONS.values())
    begin_at(consumer, await consumer.end_offsets(partitions))
    outcomes = {name_of(topic, settings.topics): outcome for outcome, topic in DECISIONS.items()}
    following = asyncio.create_task(_follow(consumer, outcomes, sending), name="decisions")
    following.add_done_callback(sending.note_failure)
    opened.push_async_callback(_end, following)


async def _follow(consumer: "AIOKafkaConsumer", outcomes: dict[str, Outcome], sending: _Sending) -> None:
    decoder = msgspec.json.Decoder(_Id)
    while True:
        for partition, records in (await consumer.getmany(timeout_ms=POLL_MS, max_records=500)).items():
            for record in records:
                try:
                    sending.decided(outcomes[partition.topic], decoder.decode(record.value or b"").transaction_id)
                except msgspec.DecodeError:  # not ours: the audit reports it
                    continue
        await asyncio.sleep(0)


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
