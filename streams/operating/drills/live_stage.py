"""An installation that decides real payments, or one of a sandbox: whether a drill may be played on it now."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from models.alert import Alert, AlertStatus
from rules.mode import Mode
from streams.broker.clients import reader, sender
from streams.broker.reading import partitions_of, whole
from streams.broker.topics import Topic
from streams.operating.drills.stage import Stage
from streams.operating.hearing import heard
from streams.settings import Settings
from streams.wire.alert import read_alert
from streams.wire.codec import MalformedRecord


class NotNow(Exception):
    """The installation has a failure of its own, or there is nobody to play with; the message is a sentence."""


@asynccontextmanager
async def live_stage(settings: Settings, *, who: str, why: str) -> AsyncIterator[Stage]:
    """The installation of these settings. Raises NotNow where anything at all is wrong with it, or TopicsWrong."""
    order, workers = await heard(settings)
    if order.holds(datetime.now(UTC)):
        raise NotNow(f"Not now: {order.force} is forced (by {order.who}: {order.why}).")
    silent = settings.watch.silent_after_seconds
    alive = [each for each in workers if (datetime.now(UTC) - each.at).total_seconds() < silent]
    if not alive:
        raise NotNow("Not now: no worker was heard of.")
    if unwell := [each for each in alive if each.mode is not Mode.NORMAL]:
        raise NotNow(
            f"Not now: {'; '.join(f'{each.instance} is {each.mode} ({each.mode_reason})' for each in unwell)}."
        )
    if open_ones := await _open_incidents(settings):
        raise NotNow(
            f"Not now: {', '.join(f'{each.dedup_key} ({each.reason})' for each in open_ones)} is not resolved."
        )
    async with sender(settings.broker, linger_ms=2) as producer:
        yield Stage(settings=settings, producer=producer, who=who, why=why)


async def _open_incidents(settings: Settings) -> list[Alert]:
    latest: dict[str, Alert] = {}
    async with reader(settings.broker) as consumer:
        async for records in whole(consumer, partitions_of(settings, [Topic.ALERTS])):
            for record in records:
                with suppress(MalformedRecord):
                    alert = read_alert(record.value).data
                    if alert.status is not AlertStatus.SETTLED:
                        latest[alert.dedup_key] = alert
    return [each for each in latest.values() if each.status is not AlertStatus.RESOLVED]
