"""Which models there are by their topics, and the last order about them."""

import contextlib
from typing import TYPE_CHECKING

from streams.broker.reading import partitions_of, whole
from streams.broker.topics import Topic
from streams.settings import Settings
from streams.wire.codec import MalformedRecord
from streams.wire.control import MODEL, ModelOrder, read_model_order
from streams.wire.snapshot_record import CANDIDATE, CHAMPION, GOOD, SnapshotRecord, SnapshotUnreadable, read_snapshot

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

_ORDER = {"champion": 0, "candidate": 1, "kept": 2}

Known = list[tuple[str, SnapshotRecord]]  # each with its role


async def models_of(consumer: "AIOKafkaConsumer", settings: Settings, *, with_kept: bool = True) -> Known:
    """All models by their role, newest first; the champion before all others.

    Those that are kept lie among the histories of all acceptors, which takes longer.
    """
    topics = [Topic.MODELS, Topic.LEARNER_STATE] if with_kept else [Topic.MODELS]
    latest: dict[bytes, bytes | None] = {}
    async for records in whole(consumer, partitions_of(settings, topics)):
        latest.update(
            (each.key, each.value)
            for each in records
            if each.key in (CHAMPION, CANDIDATE) or (each.key or b"").startswith(GOOD)
        )
    found = {key: record for key, value in latest.items() if (record := _readable(value)) is not None}
    champion, candidate = found.pop(CHAMPION, None), found.pop(CANDIDATE, None)
    named = [("champion", champion)] if champion else []
    if candidate and (champion is None or candidate.created_at > champion.created_at):
        named.append(("candidate", candidate))
    known = named + [("kept", record) for record in found.values()]
    return sorted(known, key=lambda each: (_ORDER[each[0]], -each[1].created_at.timestamp()))


async def last_order(consumer: "AIOKafkaConsumer", settings: Settings) -> ModelOrder | None:
    """What was ordered last; None if nothing that can be read."""
    order: ModelOrder | None = None
    async for records in whole(consumer, partitions_of(settings, [Topic.CONTROL])):
        for record in records:
            if record.key == MODEL and record.value is not None:
                with contextlib.suppress(MalformedRecord):
                    order = read_model_order(record.value)
    return order


def _readable(value: bytes | None) -> SnapshotRecord | None:
    if value is None:
        return None
    try:
        return read_snapshot(value)
    except SnapshotUnreadable:
        return None
