"""Watches an installation from outside, as any consumer could: decisions, alerts and models from their topics."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from rules.decision import DecisionSource, FallbackReason, Outcome
from streams.broker.clients import reader
from streams.broker.reading import POLL_MS, begin_at, partitions_of
from streams.broker.topics import DECISIONS, Topic, name_of
from streams.overseeing.tally import Seen
from streams.settings import Settings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

MOST_RECORDS = 1_000  # at a time: the loop stays free for others
LATER_MS, LATER_BYTES = 200, 1 << 18

Take = Callable[[Any, float], None]  # a record, and when it was received: seconds since 1970


class _Told(msgspec.Struct):
    """Of a decision only what is counted: a tenth of the time of reading it whole."""

    outcome: Outcome
    decision_source: DecisionSource
    fallback_reason: FallbackReason | None
    model_version: str | None
    received_at: datetime


_decision = msgspec.json.Decoder(_Told)


async def observe(
    settings: Settings, takes: Mapping[Topic, Take], *, from_beginning: bool, at_once: bool = True
) -> None:
    """Hand over committed records as they come, until cancelled. The topics must exist.

    Not at once is LATER_MS later, many in one answer of the broker: for whom only what the records say matters.
    """
    waits = {"fetch_max_wait_ms": 100} if at_once else {"fetch_max_wait_ms": LATER_MS, "fetch_min_bytes": LATER_BYTES}
    consumer = reader(settings.broker, **waits)
    await consumer.start()
    try:
        partitions = partitions_of(settings, takes)
        begin_at(consumer, await (consumer.beginning_offsets if from_beginning else consumer.end_offsets)(partitions))
        await _follow(consumer, {name_of(topic, settings.topics): take for topic, take in takes.items()})
    finally:
        await consumer.stop()


async def _follow(consumer: "AIOKafkaConsumer", takes: Mapping[str, Take]) -> None:
    """Until this task is cancelled, even if that is lost in a poll, as in `asyncio.wait_for` before Python 3.12."""
    task = asyncio.current_task()
    while task is None or not task.cancelling():
        polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=MOST_RECORDS)
        now = time.time()
        for partition, records in polled.items():
            take = takes[partition.topic]
            for record in records:
                take(record, now)
        await asyncio.sleep(0)


def decisions_to(take: Callable[[Seen], None]) -> dict[Topic, Take]:
    """Read the decision topics for `take`. What cannot be read is left out: the audit reports it."""

    def read(record: Any, at: float) -> None:
        try:
            told = _decision.decode(record.value or b"")
        except msgspec.DecodeError:
            return
        arrived = told.received_at.timestamp()
        take(Seen(at, arrived, told.outcome, told.decision_source, told.fallback_reason, told.model_version))

    return dict.fromkeys(DECISIONS.values(), read)
