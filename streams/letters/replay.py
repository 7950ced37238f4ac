"""Sending dead letters again, each exactly once over all runs.

What is sent and the mark that it was sent are one Kafka transaction. A run first starts its producer, whose
transactional id is the same for all: this fences a run before it and ends its open transaction. Only then are the marks
read. So a run that was killed, at whatever moment, is taken up where its last transaction was committed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.broker.topics import CATALOGUE, Topic, name_of
from streams.letters.decided_ids import decided_ids
from streams.letters.letter import Choice, Letter, chosen_letters, marks
from streams.letters.obstacles import Obstacle, Plan, Sieve
from streams.settings import Settings
from streams.wire.letter_replay import LetterPlace, Mark, origin_of, replayed_headers, write_mark

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

GOES_BACK_TO = (Topic.TRANSACTIONS, Topic.LABELS)
MOST_LETTERS, MOST_BYTES = 100, 1 << 20  # in one transaction
LARGEST_REQUEST = 4 << 20
# Readers of committed records wait behind an open transaction: so long at most, and until the broker next looks.
TRANSACTION_TIMEOUT_MS = 5_000


class ReplayTakenOver(Exception):
    """Another run was started and fenced this one; what this one had committed stays sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LettersReplayed:
    """What a replay did, or would do: how many it sent, and why others stay."""

    sent: int
    obstacles: dict[LetterPlace, Obstacle]


async def replay_letters(
    settings: Settings, choice: Choice, *, again: bool = False, dry_run: bool = False
) -> LettersReplayed:
    """Send letters to where they came from, unless they were sent before or something stands in the way.

    `again` is for letters refused again after a replay. Raises TopicsWrong, ReplayTakenOver, and what the broker
    refuses; after any of them the same call may be made again.
    """
    from streams.broker.clients import reader
    from streams.broker.topic_admin import require_topics

    await require_topics(settings)
    async with AsyncExitStack() as opened:
        producer = None if dry_run else await opened.enter_async_context(_fenced_producer(settings))
        consumer = await opened.enter_async_context(reader(settings.broker))
        plan = await _plan(consumer, settings, choice, again=again)
        sent = len(plan.to_send)
        if producer is not None and plan.to_send:
            sent = await _send_all(producer, consumer, settings, frozenset(plan.to_send))
        return LettersReplayed(sent=sent, obstacles=plan.obstacles)


@asynccontextmanager
async def _fenced_producer(settings: Settings) -> AsyncIterator["AIOKafkaProducer"]:
    from aiokafka.errors import InvalidProducerEpoch, ProducerFenced

    from streams.broker.clients import sender

    producer = sender(
        settings.broker,
        transactional_id=settings.own("dlt-replay"),
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        max_request_size=LARGEST_REQUEST,
    )
    await producer.start()
    try:
        yield producer
    except (ProducerFenced, InvalidProducerEpoch) as error:
        raise ReplayTakenOver("Another `holdfast dlt replay` was started and goes on in place of this one.") from error
    finally:
        await producer.stop()


async def _plan(consumer: "AIOKafkaConsumer", settings: Settings, choice: Choice, *, again: bool) -> Plan:
    most_bytes = {
        name_of(spec.topic, settings.topics): spec.max_message_bytes for spec in CATALOGUE if spec.topic in GOES_BACK_TO
    }
    named = bool(choice.places)
    sieve = Sieve(marks=await marks(consumer, settings), most_bytes=most_bytes, again=again or named)
    plan, now = Plan(), time.time()
    async for letter in chosen_letters(consumer, settings, choice):
        plan.take(letter, sieve, now)
    partitions = {place.partition for place in plan.decidable.values()}
    plan.hold_back(await decided_ids(consumer, settings, plan.decidable.keys(), partitions))
    plan.note_absent(choice.places)
    return plan


async def _send_all(
    producer: "AIOKafkaProducer", consumer: "AIOKafkaConsumer", settings: Settings, places: frozenset[LetterPlace]
) -> int:
    """Read the letters once more, so that not all are held at once, and send them transaction by transaction."""
    sent, waiting, size = 0, list[Letter](), 0
    async for letter in chosen_letters(consumer, settings, Choice(places=places)):
        waiting.append(letter)
        size += len(letter.value or b"")
        if len(waiting) >= MOST_LETTERS or size >= MOST_BYTES:
            sent += await _send(producer, settings, waiting)
            waiting, size = [], 0
    return sent + (await _send(producer, settings, waiting) if waiting else 0)


async def _send(producer: "AIOKafkaProducer", settings: Settings, letters: Sequence[Letter]) -> int:
    """One transaction: the records, each to the partition in which it lay, and the marks."""
    marked = name_of(Topic.LETTER_REPLAYS, settings.topics)
    async with producer.transaction():
        futures = []
        for letter in letters:
            if letter.report is None:
                continue
            record = letter.report.record
            headers = replayed_headers(letter.place, record)
            futures.append(
                await producer.send(
                    record.topic, key=record.key, value=record.value, partition=record.partition, headers=headers
                )
            )
            key, value = write_mark(Mark(letter.place, origin_of(record)))
            futures.append(await producer.send(marked, key=key, value=value, partition=0))
        await asyncio.gather(*futures)
    return len(letters)
