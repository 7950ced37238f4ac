"""The forwarder process: every alert to each place that is set, in order, until it is taken."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.structs import OffsetAndMetadata

from streams.broker.clients import reader
from streams.broker.reading import partitions_of
from streams.broker.topics import Topic
from streams.forwarding.requests import Request, to_alertmanager, to_webhook
from streams.lifetime import live
from streams.metrics.endpoint import expose
from streams.metrics.forwarder import ForwardMetrics
from streams.ready_signal import tell_ready
from streams.settings import Settings
from streams.wire.alert import AlertEvent, read_alert
from streams.wire.codec import MalformedRecord

log = structlog.get_logger()

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between tries of one alert
TRY_AGAIN = (408, 425, 429)  # of the answers below 500 those that mean later
POLL_MS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where alerts go, and what of each."""

    name: str
    url: str
    request: Callable[[AlertEvent], Request | None]


class NowhereToForward(Exception):
    """No place is set."""


def places(settings: Settings) -> list[Place]:
    """Those that are set. Raises NowhereToForward."""
    forward = settings.forward
    found = []
    if forward.webhook_url:
        secret = forward.webhook_secret
        found.append(
            Place(
                name="webhook",
                url=forward.webhook_url,
                request=lambda event: to_webhook(event, secret, time.time()),
            )
        )
    if forward.alertmanager_url:
        url = f"{forward.alertmanager_url.rstrip('/')}/api/v2/alerts"
        found.append(Place(name="alertmanager", url=url, request=to_alertmanager))
    if not found:
        raise NowhereToForward("Set forward.webhook_url or forward.alertmanager_url: there is nowhere to forward to.")
    return found


class Forwarder:
    """Of one place, at a pace of its own: one that does not answer holds up no other.

    At least once: where it stands is committed after an alert was taken, or refused for good. A place that was never
    forwarded to begins with the alerts that come.
    """

    def __init__(
        self, settings: Settings, place: Place, metrics: ForwardMetrics, session: aiohttp.ClientSession
    ) -> None:
        self._settings = settings
        self._place = place
        self._metrics = metrics
        self._session = session
        [self._alerts] = partitions_of(settings, [Topic.ALERTS])

    async def run(self) -> None:
        """Forward until cancelled."""
        alerts = self._alerts
        group = f"{self._settings.app}-{self._settings.topics.prefix}forward-{self._place.name}"
        consumer = reader(self._settings.broker, group_id=group, auto_offset_reset="latest")
        await consumer.start()
        try:
            consumer.assign([alerts])
            if await consumer.committed(alerts) is None:
                await consumer.commit({alerts: OffsetAndMetadata(await consumer.position(alerts), "")})
            while True:
                for record in (await consumer.getmany(alerts, timeout_ms=POLL_MS)).get(alerts, ()):
                    await self._forward(record)
                    await self._done(consumer, record)
        finally:
            await consumer.stop()

    async def _done(self, consumer: AIOKafkaConsumer, record: ConsumerRecord) -> None:
        await consumer.commit({self._alerts: OffsetAndMetadata(record.offset + 1, "")})

    async def _forward(self, record: ConsumerRecord) -> None:
        try:
            event = read_alert(record.value)
        except MalformedRecord as error:
            log.error("alert_unreadable", offset=record.offset, error=str(error))
            return
        pause = FIRST_PAUSE
        while (request := self._place.request(event)) is not None:
            status = await self._post(request)
            if status is not None and status < 300:
                self._metrics.forwarded(self._place.name)
                return
            if status is not None and status < 500 and status not in TRY_AGAIN:
                log.error("alert_refused", place=self._place.name, status=status, event_id=event.id)
                self._metrics.refused(self._place.name)
                return
            log.warning("alert_not_taken", place=self._place.name, status=status, event_id=event.id)
            self._metrics.failed(self._place.name)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that many do not come at once
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _post(self, request: Request) -> int | None:
        """The status of the answer; None without one."""
        try:
            async with self._session.post(
                self._place.url, data=request.body, headers=request.headers, allow_redirects=False
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return None


def run(settings: Settings) -> None:
    """Forward until told to stop; exit 70 on anything it cannot go on from. Raises NowhereToForward."""
    chosen = places(settings)
    live("forwarder", lambda: _forward(settings, chosen))


async def _forward(settings: Settings, chosen: list[Place]) -> None:
    metrics = ForwardMetrics()
    port = expose(metrics.registry, settings.metrics.host, settings.metrics.forward_port)
    timeout = aiohttp.ClientTimeout(total=settings.forward.timeout_seconds)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
        for place in chosen:
            group.create_task(Forwarder(settings, place, metrics, session).run(), name=place.name)
        log.info("forwarder_ready", metrics_port=port, places=[each.name for each in chosen])
        tell_ready("forwarder")
