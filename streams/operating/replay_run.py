"""A replay: recorded transactions through the real topics, labels when the data's own time says they were known."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from models.label import Label, LabelSource, LabelState
from models.transaction import Channel, Transaction
from models.warm_up import Payment
from streams.broker.clients import reader, sender
from streams.broker.reading import begin_at, partitions_of
from streams.broker.topics import DECISIONS, Topic, name_of
from streams.operating.pacing import TokenBucket
from streams.settings import Settings
from streams.wire.codec import read_decision, write_label, write_transaction

TICK_SECONDS = 0.005
POLL_MS = 100
STALLED_SECONDS = 60.0  # no decision for so long: something is broken


class ReplayStalled(Exception):
    """Decisions stopped coming."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast, and how far the sender may run ahead of the decisions."""

    rate: float  # transactions a second
    in_flight: int = 4000
    label_delay: float  # seconds of the data's time


@dataclass(slots=True)
class Replayed:
    """What came back: columns of decided payments, in order of arrival."""

    risk: dict[str, float | None] = field(default_factory=dict)  # by transaction id; None where no model answered
    by_source: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0  # the contract refuses an amount of 0, which some recorded data has
    decided_to: float = float("-inf")  # newest event time decided, seconds since 1970
    sent: int = 0
    labels_sent: int = 0
    seconds: float = 0.0

    @property
    def ended(self) -> int:
        """Transactions that are decided or refused."""
        return len(self.risk) + self.dead_letters


Told = Callable[[Replayed], None]


async def replay_payments(settings: Settings, payments: Iterable[Payment], pace: Pace, told: Told) -> Replayed:
    """Send every payment, and each one's label once payments `label_delay` later have been decided.

    Labels wait for decisions, not for sending: a worker that is behind must not learn what it has yet to decide.
    Raises ReplayStalled.
    """
    done = Replayed()
    async with _connected(settings) as (producer, consumer):
        dead_letters = name_of(Topic.DEAD_LETTERS, settings.topics)
        collecting = asyncio.create_task(_collect(consumer, dead_letters, done))
        try:
            began = time.monotonic()
            await _feed(settings, producer, payments, pace, done, told)
            await _until_decided(done, collecting, told)
            done.seconds = time.monotonic() - began
        finally:
            collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)
    return done


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[tuple[AIOKafkaProducer, AIOKafkaConsumer]]:
    producer = sender(settings.broker, linger_ms=2, max_batch_size=131_072)
    consumer = reader(settings.broker)
    await producer.start()
    await consumer.start()
    try:
        partitions = partitions_of(settings, (*DECISIONS.values(), Topic.DEAD_LETTERS))
        begin_at(consumer, await consumer.end_offsets(partitions))
        yield producer, consumer
    finally:
        await consumer.stop()
        await producer.stop()


async def _feed(
    settings: Settings,
    producer: AIOKafkaProducer,
    payments: Iterable[Payment],
    pace: Pace,
    done: Replayed,
    told: Told,
) -> None:
    transactions, labels = (name_of(topic, settings.topics) for topic in (Topic.TRANSACTIONS, Topic.LABELS))
    bucket = TokenBucket(pace.rate, now=time.monotonic(), burst_seconds=0.2)
    unlabelled: deque[Payment] = deque()
    source = iter(payments)
    moved = time.monotonic()
    while True:
        room = pace.in_flight - (done.sent - done.ended)
        due = bucket.take(time.monotonic(), max(room, 0))
        before = done.sent
        for _ in range(due):
            payment = next(source, None)
            if payment is None:
                return
            value = write_transaction(_transaction(payment))
            await producer.send(transactions, key=payment.card.encode(), value=value)
            unlabelled.append(payment)
            done.sent += 1
        while unlabelled and unlabelled[0].at <= done.decided_to - pace.label_delay:
            label = _label(unlabelled.popleft(), pace.label_delay)
            await producer.send(labels, key=label.transaction_id.encode(), value=write_label(label))
            done.labels_sent += 1
        moved = _watch_out(moved, progressed=done.sent > before)
        told(done)
        await asyncio.sleep(TICK_SECONDS)


async def _until_decided(done: Replayed, collecting: "asyncio.Task[None]", told: Told) -> None:
    ended, moved = done.ended, time.monotonic()
    while done.ended < done.sent:
        if collecting.done():
            collecting.result()
        moved = _watch_out(moved, progressed=done.ended > ended)
        ended = done.ended
        told(done)
        await asyncio.sleep(TICK_SECONDS)


def _watch_out(moved: float, *, progressed: bool) -> float:
    now = time.monotonic()
    if progressed:
        return now
    if now - moved > STALLED_SECONDS:
        raise ReplayStalled(f"no decision for {STALLED_SECONDS:.0f} s: is a worker running, and what does its log say?")
    return moved


async def _collect(consumer: AIOKafkaConsumer, dead_letters: str, done: Replayed) -> None:
    while True:
        for partition, records in (await consumer.getmany(timeout_ms=POLL_MS, max_records=2000)).items():
            if partition.topic == dead_letters:
                done.dead_letters += len(records)
                continue
            for record in records:
                decision = read_decision(record.value)
                done.risk[decision.transaction_id] = decision.risk_score
                source = decision.decision_source.value
                done.by_source[source] = done.by_source.get(source, 0) + 1
                done.decided_to = max(done.decided_to, decision.event_time.timestamp())


def _transaction(payment: Payment) -> Transaction:
    return Transaction(
        transaction_id=payment.transaction_id,
        event_time=datetime.fromtimestamp(payment.at, UTC),
        pan_token=payment.card,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        merchant_id=payment.merchant_id or payment.acceptor,
        terminal_id=payment.acceptor,
        mcc=payment.mcc,
        merchant_country=payment.merchant_country,
        card_country=payment.card_country,
        channel=Channel(payment.channel) if payment.channel else None,
        pan_entry_mode=payment.pan_entry_mode,
        device_id=payment.device_id,
        avs_result=payment.avs_result,
        cvv_result=payment.cvv_result,
        eci=payment.eci,
        three_ds_status=payment.three_ds_status,
    )


def _label(payment: Payment, delay: float) -> Label:
    return Label(
        label_id=f"label-{payment.transaction_id}",
        transaction_id=payment.transaction_id,
        source=LabelSource.OFFLINE_ANALYSIS,
        state=LabelState.FRAUD if payment.is_fraud else LabelState.LEGITIMATE,
        effective_at=datetime.fromtimestamp(payment.at, UTC),
        received_at=datetime.fromtimestamp(payment.at + delay, UTC),
    )
