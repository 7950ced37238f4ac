"""The forwarder process: every record of a topic to each place that is set for it, in order, until it is taken."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from streams.broker.clients import reader
from streams.broker.reading import partitions_of
from streams.broker.topics import Topic
from streams.forwarding.requests import Request, question_to_webhook, to_alertmanager, to_webhook
from streams.lifetime import live
from streams.metrics.endpoint import expose
from streams.metrics.forwarder import ForwardMetrics
from streams.ready_signal import tell_ready
from streams.settings import Settings
from streams.wire.alert import read_alert
from streams.wire.codec import MalformedRecord, read_request

log = structlog.get_logger()

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between tries of one alert
TRY_AGAIN = (408, 425, 429)  # of the answers below 500 those that mean later
POLL_MS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where records of a topic go, and what of each; the request raises MalformedRecord."""

    name: str
    topic: Topic
    url: str
    request: Callable[[bytes | None], Request | None]


class NowhereToForward(Exception):
    """No place is set."""


def places(settings: Settings) -> list[Place]:
    """Those that are set. Raises NowhereToForward."""
    forward = settings.forward
    secret = forward.webhook_secret
    found = []
    if forward.webhook_url:
        found.append(
            Place(
                name="webhook",
                topic=Topic.ALERTS,
                url=forward.webhook_url,
                request=lambda value: to_webhook(read_alert(value), secret, time.time()),
            )
        )
    if forward.alertmanager_url:
        url = f"{forward.alertmanager_url.rstrip('/')}/api/v2/alerts"
        found.append(
            Place(
                name="alertmanager",
                topic=Topic.ALERTS,
                url=url,
                request=lambda value: to_alertmanager(read_alert(value)),
            )
        )
    if forward.questions_url:
        found.append(
            Place(
                name="questions",
                topic=Topic.INFORMATION_REQUESTED,
                url=forward.questions_url,
                request=lambda value: question_to_webhook(read_request(value), secret, time.time()),
            )
        )
    if not found:
        raise NowhereToForward(
            "Set forward.webhook_url, forward.alertmanager_url or forward.questions_url: nothing is to be forwarded."
        )
    return found


class Forwarder:
    """Of one place, at a pace of its own: one that does not answer holds up no other.

    At least once: where it stands is committed after a record was taken, or refused for good. A place that was never
    forwarded to begins with the records that come.
    """

    def __init__(
        self, settings: Settings, place: Place, metrics: ForwardMetrics, session: aiohttp.ClientSession
    ) -> None:
        self._settings = settings
        self._place = place
        self._metrics = metrics
        self._session = session

    async def run(self) -> None:
        """Forward until cancelled."""
        partitions = partitions_of(self._settings, [self._place.topic])
        group = self._settings.own(f"forward-{self._place.name}")
        consumer = reader(self._settings.broker, group_id=group, auto_offset_reset="latest")
        await consumer.start()
        try:
            consumer.assign(partitions)
            for partition in partitions:
                if await consumer.committed(partition) is None:
                    await _stand_at(consumer, partition, await consumer.position(partition))
            while True:
                for partition, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                    for record in records:
                        await self._forward(record)
                        await _stand_at(consumer, partition, record.offset + 1)
        finally:
            await consumer.stop()

    async def _forward(self, record: ConsumerRecord) -> None:
        pause, where = FIRST_PAUSE, {"place": self._place.name, "partition": record.partition, "offset": record.offset}
        while (request := self._request(record)) is not None:
            status = await self._post(request)
            if status is not None and status < 300:
                self._metrics.forwarded(self._place.name)
                return
            if status is not None and status < 500 and status not in TRY_AGAIN:
                log.error("refused_there", status=status, **where)
                self._metrics.refused(self._place.name)
                return
            log.warning("not_taken", status=status, **where)
            self._metrics.failed(self._place.name)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that many do not come at once
            pause = min(2 * pause, LONGEST_PAUSE)

    def _request(self, record: ConsumerRecord) -> Request | None:
        """Made anew for each try, for its signature says when it was sent; None where nothing is to be sent."""
        try:
            return self._place.request(record.value)
        except MalformedRecord as error:
            log.error("unreadable", topic=record.topic, offset=record.offset, error=str(error))
            return None

    async def _post(self, request: Request) -> int | None:
        """The status of the answer; None without one."""
        try:
            async with self._session.post(
                self._place.url, data=request.body, headers=request.headers, allow_redirects=False
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return None


async def _stand_at(consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> None:
    await consumer.commit({partition: OffsetAndMetadata(offset, "")})


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
