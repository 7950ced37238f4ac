"""Reads from topics what became of the decisions made without the model."""

import asyncio
import time

from streams.broker.clients import reader
from streams.broker.reading import partitions_of, places_at, stretch
from streams.broker.topic_admin import require_topics
from streams.broker.topics import DECISIONS, Topic
from streams.reconciling.glance import glance
from streams.reconciling.report import Reconciliation
from streams.settings import Settings
from streams.wire.codec import MalformedRecord, read_revision

LOOK_AGAIN_SECONDS = 0.5


async def reconciled(settings: Settings, *, since: float | None = None, wait_seconds: float = 0.0) -> Reconciliation:
    """Take every decision from `since` on, seconds since the epoch or None for all, and every revision of them.

    Waits up to `wait_seconds` for revisions of what was decided before the call. Records that cannot be read are left
    out. Raises TopicsWrong and what aiokafka raises.
    """
    await require_topics(settings)
    found = Reconciliation()
    async with reader(settings.broker) as consumer:
        decisions, revisions = partitions_of(settings, DECISIONS.values()), partitions_of(settings, [Topic.REVISED])
        starts = await places_at(consumer, decisions, since)
        async for records in stretch(consumer, starts, await consumer.end_offsets(decisions)):
            for record in records:
                if (decision := glance(record)) is not None:
                    found.decided(decision)
        give_up_at = time.monotonic() + wait_seconds
        starts = await places_at(consumer, revisions, since)
        while True:
            ends = await consumer.end_offsets(revisions)
            async for records in stretch(consumer, starts, ends):
                for record in records:
                    try:
                        found.revised(read_revision(record.value))
                    except MalformedRecord:
                        continue
            starts = ends
            if not found.waiting or time.monotonic() >= give_up_at:
                return found
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
