"""Deleting dead letters up to a place or an age."""

import time
from collections import Counter
from dataclasses import dataclass

from streams.broker.reading import Offsets, partitions_of, places_at, stretch
from streams.broker.topics import Topic, name_of
from streams.letters.letter import Letter, read_letter
from streams.settings import Settings
from streams.wire.letter_replay import LetterPlace


class NoSuchPlace(Exception):
    """A place beyond the end of the dead letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """What a purge takes away."""

    ends: Offsets  # the first offset that stays, for each partition that loses a letter
    reasons: Counter[str]
    audited: int  # letters of records that `transactions` still holds: without them an audit misses those

    @property
    def count(self) -> int:
        """Letters that go."""
        return self.reasons.total()


async def purge_of(
    settings: Settings, *, up_to: frozenset[LetterPlace] = frozenset(), older_than: float | None = None
) -> Purge:
    """What would go: all up to and with these places, each in its partition, or all older than so many seconds.

    Raises TopicsWrong and NoSuchPlace.
    """
    from streams.broker.clients import reader
    from streams.broker.topic_admin import require_topics

    await require_topics(settings)
    async with reader(settings.broker) as consumer:
        partitions = partitions_of(settings, [Topic.DEAD_LETTERS])
        starts = await places_at(consumer, partitions, None)
        ends = await consumer.end_offsets(partitions)
        if older_than is not None:
            bounds = await places_at(consumer, partitions, time.time() - older_than)
        else:
            bounds = _after(up_to, name_of(Topic.DEAD_LETTERS, settings.topics), ends)
        bounds = {each: bound for each, bound in bounds.items() if bound > starts[each]}
        inputs = partitions_of(settings, [Topic.TRANSACTIONS])
        held = {
            (each.topic, each.partition): start for each, start in (await places_at(consumer, inputs, None)).items()
        }
        reasons, audited = Counter[str](), 0
        async for records in stretch(consumer, starts, bounds):
            letters = [read_letter(record) for record in records]
            reasons.update(letter.reason for letter in letters)
            audited += sum(_is_held(letter, held) for letter in letters)
        return Purge(ends=bounds, reasons=reasons, audited=audited)


async def delete(settings: Settings, purge: Purge) -> None:
    """Delete them. Raises what the broker refuses."""
    from aiokafka.admin import RecordsToDelete

    from streams.broker.clients import admin

    client = admin(settings.broker)
    await client.start()
    try:
        await client.delete_records({each: RecordsToDelete(end) for each, end in purge.ends.items()})
    finally:
        await client.close()


def _after(places: frozenset[LetterPlace], topic: str, ends: Offsets) -> Offsets:
    by_number = {each.partition: each for each in ends if each.topic == topic}
    bounds: Offsets = {}
    for place in places:
        partition = by_number.get(place.partition)
        if partition is None or place.offset >= ends[partition]:
            raise NoSuchPlace(f"There is no letter {place}: beyond the end of the dead letters.")
        bounds[partition] = max(bounds.get(partition, 0), place.offset + 1)
    return bounds


def _is_held(letter: Letter, held: dict[tuple[str, int], int]) -> bool:
    if letter.report is None:
        return False
    record = letter.report.record
    start = held.get((record.topic, record.partition))
    return start is not None and record.offset >= start
