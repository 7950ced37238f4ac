"""The heart of a process: it says every few seconds that it lives, so that its silence can be noticed."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.broker.clients import sender
from streams.broker.topics import Topic, name_of
from streams.settings import Settings
from streams.wire.heartbeat import Heartbeat, write_heartbeat

log = structlog.get_logger()

STOP_SECONDS = 2.0

Saying = Callable[[Heartbeat], Heartbeat]  # adds what the process is at


def _no_more(heartbeat: Heartbeat) -> Heartbeat:
    return heartbeat


class Heart:
    """Beats from `start` to `stop`. A beat that cannot be sent is one that is missed: others will notice."""

    def __init__(self, settings: Settings, instance: str, *, saying: Saying = _no_more) -> None:
        self._settings = settings
        self._instance = instance
        self._saying = saying
        self._topic = name_of(Topic.HEARTBEATS, settings.topics)
        self._started_at = datetime.now(UTC)
        self._producer: AIOKafkaProducer  # made in start: it needs the running loop
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and beat."""
        self._producer = sender(self._settings.broker)
        await self._producer.start()
        self._task = asyncio.create_task(self._beat(), name="heart")

    async def stop(self) -> None:
        """Say that this is a clean end."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._producer.send_and_wait(self._topic, key=self._instance.encode(), value=None, partition=0)
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._producer.stop()

    async def _beat(self) -> None:
        every = self._settings.watch.heartbeat_seconds
        while True:
            beat = Heartbeat(instance=self._instance, at=datetime.now(UTC), started_at=self._started_at)
            value = write_heartbeat(self._saying(beat))
            try:
                await self._producer.send_and_wait(self._topic, key=self._instance.encode(), value=value, partition=0)
            except KafkaError as error:
                log.warning("heartbeat_missed", error=repr(error))
            await asyncio.sleep(every)
