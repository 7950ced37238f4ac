"""Sends alerts: what fails and what is well goes in, incidents decide, CloudEvents come out on the alert topic."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import structlog

from models.alert import Alert
from rules.incidents import KINDS, Incidents
from rules.moment import Moment
from streams.alerting.outbox import Outbox
from streams.broker.clients import reader
from streams.broker.reading import partitions_of, whole
from streams.broker.topics import Topic
from streams.crash import give_up
from streams.settings import Settings
from streams.wire.alert import event_of, read_alert, write_alert
from streams.wire.codec import MalformedRecord

log = structlog.get_logger()

TICK_SECONDS = 0.5


def _now() -> Moment:
    return Moment(datetime.now(UTC), time.monotonic())


class Announcer:
    """One per process, that says through its outbox what happens."""

    def __init__(self, settings: Settings, outbox: Outbox) -> None:
        self._settings = settings
        self._outbox = outbox
        self._incidents = Incidents(settings.incidents, source=outbox.name, versions={"settings": settings.version})
        self._task: asyncio.Task[None] | None = None
        self._each_tick: Callable[[], None] | None = None

    async def start(self, *, each_tick: Callable[[], None] | None = None) -> None:
        """Take up what a predecessor left open, and look at open incidents twice a second.

        `each_tick` is called before each look.
        """
        self._each_tick = each_tick
        await self._adopt()
        self._task = asyncio.create_task(self._tick(), name="incidents")

    async def stop(self) -> None:
        """Look no more; what is open stays so, for a successor to take up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def failed(
        self,
        component: str,
        reason: str,
        *,
        count: int = 1,
        amount_minor: int = 0,
        samples: list[str] | None = None,
        partition: int | None = None,
        evidence: Mapping[str, str] | None = None,
        cause: str | None = None,
    ) -> None:
        """Something failed, because of `cause` if that is known; equal failures make one incident."""
        alert = self._incidents.failed(
            component,
            reason,
            _now(),
            count=count,
            amount_minor=amount_minor,
            samples=samples or (),
            partition=partition,
            evidence=evidence,
            cause=cause,
        )
        if alert is not None:
            self._tell(alert)

    def healthy(self, component: str) -> None:
        """A component did its work."""
        self._incidents.healthy(component, _now())

    def look(
        self,
        component: str,
        reason: str,
        *,
        fails: bool,
        partition: int | None = None,
        evidence: Mapping[str, str] | None = None,
    ) -> None:
        """A component was looked at: it fails for this reason, or it is well."""
        if fails:
            self.failed(component, reason, count=0, partition=partition, evidence=evidence)
        else:
            self.healthy(component)

    async def _adopt(self) -> None:
        """Find in the topic what the last process of this name opened and did not resolve: it was killed."""
        latest: dict[str, Alert] = {}
        async with reader(self._settings.broker) as consumer:
            async for records in whole(consumer, partitions_of(self._settings, [Topic.ALERTS])):
                for record in records:
                    with contextlib.suppress(MalformedRecord):
                        event = read_alert(record.value)
                        if event.source == self._outbox.source:
                            latest[event.data.dedup_key] = event.data
        now = _now()
        for alert in latest.values():
            if self._incidents.adopt(alert, now):
                log.info("incident_adopted", subject=alert.dedup_key, reason=alert.reason)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - an incident that nobody looks at never resolves
                give_up("incidents_not_looked_at", error)

    def _look(self) -> None:
        if self._each_tick is not None:
            self._each_tick()
        for alert in self._incidents.due(_now()):
            self._tell(alert)

    def _tell(self, alert: Alert) -> None:
        log.warning("alert", status=alert.status, reason=alert.reason, subject=alert.dedup_key, count=alert.count)
        kind = KINDS[alert.reason]
        event = event_of(
            alert,
            event_id=self._outbox.event_id(),
            source=self._outbox.source,
            area=kind.area,
            what=kind.what,
            time=_now().time,
        )
        self._outbox.put(Topic.ALERTS, alert.dedup_key, write_alert(event))
