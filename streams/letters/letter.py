"""Reading dead letters: those of some places, of a stretch of time, or all; and which of them were sent again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from models.dead_letter import DeadLetterReason
from streams.broker.reading import Offsets, partitions_of, places_at, stretch, whole
from streams.broker.topics import Topic
from streams.settings import Settings
from streams.wire.dead_letter import DeadLetterReport, Header, NotADeadLetter, read_dead_letter
from streams.wire.letter_replay import LetterPlace, NotAMark, Origin, origin_of, read_mark

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

Marks = dict[LetterPlace, Origin]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A record of the dead-letter topic; no report where its headers are not those of a letter."""

    place: LetterPlace
    written_at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    report: DeadLetterReport | None

    @property
    def reason(self) -> str:
        """The reason code, or a word for what is no letter."""
        return "UNREADABLE" if self.report is None else self.report.reason.value

    def is_marked(self, marks: Marks) -> bool:
        """Whether it was sent again."""
        return self.report is not None and marks.get(self.place) == origin_of(self.report.record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which letters: those of these places, or those since then (seconds since the epoch) with one of these reasons.

    What is empty or None leaves nothing out.
    """

    places: frozenset[LetterPlace] = frozenset()
    since: float | None = None
    reasons: frozenset[DeadLetterReason] = frozenset()

    def takes(self, letter: Letter) -> bool:
        """Whether a letter that was read is one of them."""
        if self.places:
            return letter.place in self.places
        return not self.reasons or (letter.report is not None and letter.report.reason in self.reasons)


async def chosen_letters(consumer: "AIOKafkaConsumer", settings: Settings, choice: Choice) -> AsyncIterator[Letter]:
    """The committed letters of a choice that are there now; those of one partition in their order."""
    starts, ends = await _bounds(consumer, settings, choice)
    async for records in stretch(consumer, starts, ends):
        for record in records:
            if choice.takes(letter := read_letter(record)):
                yield letter


def read_letter(record: Any) -> Letter:
    """Read a record of the dead-letter topic, whatever it is."""
    try:
        report = read_dead_letter(record.key, record.value, record.headers)
    except NotADeadLetter:
        report = None
    return Letter(
        place=LetterPlace(record.partition, record.offset),
        written_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
        report=report,
    )


async def marks(consumer: "AIOKafkaConsumer", settings: Settings) -> Marks:
    """The letters that were sent again, by committed marks; what is no mark is passed over."""
    found: Marks = {}
    async for records in whole(consumer, partitions_of(settings, [Topic.LETTER_REPLAYS])):
        for record in records:
            try:
                mark = read_mark(record.key, record.value)
            except NotAMark:
                continue
            found[mark.place] = mark.origin
    return found


async def _bounds(consumer: "AIOKafkaConsumer", settings: Settings, choice: Choice) -> tuple[Offsets, Offsets]:
    partitions = partitions_of(settings, [Topic.DEAD_LETTERS])
    starts = await places_at(consumer, partitions, choice.since)
    ends = dict(await consumer.end_offsets(partitions))
    if choice.places:
        for each in partitions:
            offsets = [place.offset for place in choice.places if place.partition == each.partition]
            starts[each] = max(starts[each], min(offsets, default=ends[each]))
            ends[each] = min(ends[each], max(offsets, default=-1) + 1)
    return starts, ends
