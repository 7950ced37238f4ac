"""The story of one payment, as the topics tell it, found without an index and within bounds.

Topics are partitioned by card, and who asks knows the payment alone: all partitions are read, what is recent first.
Once its decision is found, its input is read from where the decision says it lay, and what came of it from then on.
"""

import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from models.label import Label
from rules.decision import Decision, InputPosition
from rules.revision import Revision
from streams.broker.reading import Offsets, partitions_of, places_at, stretch
from streams.broker.topics import DECISIONS, Topic, name_of
from streams.settings import Settings
from streams.wire.card_guard import mask
from streams.wire.codec import MalformedRecord, read_decision, read_label, read_revision
from streams.wire.dead_letter import DeadLetterReport, NotADeadLetter, read_dead_letter

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition

MOST_RECORDS = 500_000  # read for one story
MOST_SECONDS = 20.0
SPANS = (900.0, 7_200.0, 43_200.0, 259_200.0, 2_592_000.0)  # how far back, seconds: one after the other
AROUND = 3_600.0  # before and after a moment that is named

Span = tuple[float, float | None]  # seconds since 1970; None: until now


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Something that a topic says of the payment, and when it came there."""

    at: datetime
    what: Decision | Revision | Label | DeadLetterReport
    place: InputPosition


@dataclass(slots=True, kw_only=True)
class Story:
    """What was found, and how far was looked."""

    transaction_id: str
    input: dict[str, Any] | None = None  # the transaction as it came; None: not found, or not kept any more
    input_at: datetime | None = None
    told: list[Told] = field(default_factory=list)
    looked_at: int = 0  # records
    since: datetime | None = None  # all decisions and dead letters from then on were looked at
    whole: bool = True  # no bound ended the search

    @property
    def decision(self) -> Decision | None:
        """Its decision."""
        return next((each.what for each in self.told if isinstance(each.what, Decision)), None)

    @property
    def found(self) -> bool:
        """Whether any topic knows of it."""
        return bool(self.told) or self.input is not None


class _BoundReached(Exception):
    """Enough was read for one story."""


class Search:
    """For one payment; used once."""

    def __init__(self, consumer: "AIOKafkaConsumer", settings: Settings, transaction_id: str) -> None:
        self._consumer = consumer
        self._settings = settings
        self._needle = transaction_id.encode()
        self._give_up_at = time.monotonic() + MOST_SECONDS
        self._readers = {
            **{name_of(topic, settings.topics): _decision for topic in DECISIONS.values()},
            name_of(Topic.REVISED, settings.topics): _revision,
            name_of(Topic.LABELS, settings.topics): _label,
            name_of(Topic.DEAD_LETTERS, settings.topics): _letter,
        }
        self._input = name_of(Topic.TRANSACTIONS, settings.topics)
        self.story = Story(transaction_id=transaction_id)

    async def run(
        self, now: float, *, around: float | None = None, known: tuple[Decision, InputPosition] | None = None
    ) -> Story:
        """Search, from a decision that is known, near a moment, or back from `now` (seconds since 1970)."""
        try:
            if known is not None:
                decision, place = known
                self.story.told.append(Told(at=decision.decided_at, what=decision, place=place))
            else:
                await self._find(now, around)
            if (first := self._first()) is not None:
                await self._follow(first)
        except _BoundReached:
            self.story.whole = False
        self.story.told.sort(key=lambda each: each.at)
        return self.story

    async def _find(self, now: float, around: float | None) -> None:
        ends = partitions_of(self._settings, [*DECISIONS.values(), Topic.DEAD_LETTERS])
        inputs = partitions_of(self._settings, [Topic.TRANSACTIONS])
        for number, (begin, end) in enumerate(_spans(now, around)):
            # Of the input only what may still wait for its decision: all else is found by that.
            await self._read([*ends, *inputs] if number == 0 else ends, (begin, end))
            self.story.since = datetime.fromtimestamp(begin, UTC)
            if self.story.found:
                return

    def _first(self) -> Told | None:
        """What all else is found by: the decision, or a dead letter where there is none."""
        decisions = [each for each in self.story.told if isinstance(each.what, Decision)]
        return next(iter(decisions or self.story.told), None)

    async def _follow(self, first: Told) -> None:
        """Its input, and what was said of it since."""
        if isinstance(first.what, Decision):
            await self._read_input(first.what.input)
        elif isinstance(first.what, DeadLetterReport):
            self._take_input(first.what.record.value, first.what.record.timestamp)
        here = [
            each for each in partitions_of(self._settings, [Topic.REVISED]) if each.partition == first.place.partition
        ]
        span = (first.at.timestamp(), None)
        await self._read(here, span)
        await self._read(partitions_of(self._settings, [Topic.LABELS]), span)

    async def _read(self, partitions: list["TopicPartition"], span: Span) -> None:
        begin, end = span
        starts = await places_at(self._consumer, partitions, begin)
        ends = (
            await self._consumer.end_offsets(partitions)
            if end is None
            else await places_at(self._consumer, partitions, end)
        )
        async for record in self._records(starts, ends):
            self._take(record)

    async def _records(self, starts: Offsets, ends: Offsets) -> AsyncIterator[Any]:
        async for records in stretch(self._consumer, starts, ends):
            self.story.looked_at += len(records)
            for record in records:
                if self._needle in (record.value or b""):  # a hundredth of the time of reading it
                    yield record
            if self.story.looked_at >= MOST_RECORDS or time.monotonic() >= self._give_up_at:
                raise _BoundReached

    def _take(self, record: Any) -> None:
        if record.topic == self._input:
            self._take_input(record.value, record.timestamp)
            return
        what = self._readers[record.topic](record)
        if what is None or (not isinstance(what, DeadLetterReport) and what.transaction_id != self._named):
            return
        place = InputPosition(topic=record.topic, partition=record.partition, offset=record.offset)
        self.story.told.append(Told(at=_moment(record.timestamp), what=what, place=place))

    async def _read_input(self, lay: InputPosition) -> None:
        from aiokafka import TopicPartition

        partition = TopicPartition(lay.topic, lay.partition)
        first = (await self._consumer.beginning_offsets([partition]))[partition]
        if not first <= lay.offset < (await self._consumer.end_offsets([partition]))[partition]:
            return
        async for records in stretch(self._consumer, {partition: lay.offset}, {partition: lay.offset + 1}):
            for record in records:
                self._take_input(record.value, record.timestamp)

    def _take_input(self, value: bytes | None, timestamp: int) -> None:
        try:
            document = orjson.loads(mask(value or b"")[0])  # what is no dead letter yet may hold a card number
        except orjson.JSONDecodeError:
            return
        if isinstance(document, dict) and document.get("transaction_id") == self._named:
            self.story.input, self.story.input_at = document, _moment(timestamp)

    @property
    def _named(self) -> str:
        return self.story.transaction_id


def _spans(now: float, around: float | None) -> Iterable[Span]:
    if around is not None:
        return [(around - AROUND, around + AROUND)]
    return _back(now)


def _back(now: float) -> Iterator[Span]:
    end: float | None = None
    for seconds in SPANS:
        yield now - seconds, end
        end = now - seconds


def _moment(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp / 1000, UTC)


def _decision(record: Any) -> Decision | None:
    try:
        return read_decision(record.value)
    except MalformedRecord:
        return None


def _revision(record: Any) -> Revision | None:
    try:
        return read_revision(record.value)
    except MalformedRecord:
        return None


def _label(record: Any) -> Label | None:
    try:
        return read_label(record.value)
    except MalformedRecord:
        return None


def _letter(record: Any) -> DeadLetterReport | None:
    try:
        return read_dead_letter(record.key, record.value, record.headers)
    except NotADeadLetter:
        return None
