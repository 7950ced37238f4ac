"""Sends alerts: what fails and what is well goes in, incidents decide, CloudEvents come out on the alert topic."""

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaProducer

from models.alert import Alert
from rules.incidents import KINDS, Incidents
from rules.moment import Moment
from streams.broker.clients import reader, sender
from streams.broker.reading import partitions_of, whole
from streams.broker.topics import Topic, name_of
from streams.crash import give_up
from streams.settings import Settings
from streams.wire.alert import event_of, read_alert, write_alert
from streams.wire.codec import MalformedRecord

log = structlog.get_logger()

TICK_SECONDS = 0.5


class Announcer:
    """One per process. Announcing never waits for Kafka; a background task sends in order and waits for the broker."""

    def __init__(self, settings: Settings, *, source: str, clock: Callable[[], Moment]) -> None:
        self._settings = settings
        self._told_source = f"/holdfast/{source}"  # as CloudEvents have it
        self._clock = clock
        self._incidents = Incidents(settings.incidents, source=source, versions={"settings": settings.version})
        self._waiting: asyncio.Queue[Alert] = asyncio.Queue()
        self._producer: AIOKafkaProducer  # made in start: it needs the running loop
        self._numbers = itertools.count()
        self._start = uuid.uuid4().hex[:12]  # event ids must not repeat over restarts
        self._tasks: list[asyncio.Task[None]] = []
        self._each_tick: Callable[[], None] | None = None

    async def start(self, *, each_tick: Callable[[], None] | None = None) -> None:
        """Connect, take up what a predecessor left open, and look at open incidents twice a second.

        `each_tick` is called before each look.
        """
        self._each_tick = each_tick
        self._producer = sender(self._settings.broker)
        await asyncio.gather(self._producer.start(), self._adopt())
        self._tasks = [
            asyncio.create_task(self._send_all(), name="alerts"),
            asyncio.create_task(self._tick(), name="incidents"),
        ]

    async def stop(self) -> None:
        """Send what waits, then disconnect."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await self._waiting.join()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._producer.stop()

    def failed(
        self,
        component: str,
        reason: str,
        *,
        count: int = 1,
        amount_minor: int = 0,
        samples: list[str] | None = None,
        partition: int | None = None,
    ) -> None:
        """Something failed; equal failures make one incident."""
        alert = self._incidents.failed(
            component,
            reason,
            self._clock(),
            count=count,
            amount_minor=amount_minor,
            samples=samples or (),
            partition=partition,
        )
        if alert is not None:
            self._waiting.put_nowait(alert)

    def healthy(self, component: str) -> None:
        """A component did its work."""
        self._incidents.healthy(component, self._clock())

    async def _adopt(self) -> None:
        """Find in the topic what the last process of this name opened and did not resolve: it was killed."""
        latest: dict[str, Alert] = {}
        async with reader(self._settings.broker) as consumer:
            async for records in whole(consumer, partitions_of(self._settings, [Topic.ALERTS])):
                for record in records:
                    with contextlib.suppress(MalformedRecord):
                        event = read_alert(record.value)
                        if event.source == self._told_source:
                            latest[event.data.dedup_key] = event.data
        now = self._clock()
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
        for alert in self._incidents.due(self._clock()):
            self._waiting.put_nowait(alert)

    async def _send_all(self) -> None:
        topic = name_of(Topic.ALERTS, self._settings.topics)
        while True:
            alert = await self._waiting.get()
            log.warning("alert", status=alert.status, reason=alert.reason, subject=alert.dedup_key, count=alert.count)
            kind = KINDS[alert.reason]
            event = event_of(
                alert,
                event_id=f"{self._start}-{next(self._numbers)}",
                source=self._told_source,
                area=kind.area,
                what=kind.what,
                time=self._clock().time,
            )
            try:
                await self._producer.send_and_wait(topic, key=alert.dedup_key.encode(), value=write_alert(event))
            except Exception as error:  # noqa: BLE001 - a failure nobody hears of is worse than a restart
                give_up("alert_not_sent", error)
            self._waiting.task_done()
