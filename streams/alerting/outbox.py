"""What a process has to say, on its way to Kafka: in order, each awaited, and nobody who speaks waits for it."""

import asyncio
import contextlib
import itertools
import uuid

from aiokafka import AIOKafkaProducer

from streams.broker.clients import sender
from streams.broker.topics import Topic, name_of
from streams.crash import give_up
from streams.settings import Settings

STOP_SECONDS = 2.0


class Outbox:
    """One for a process, by its name."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self.name = name
        self.source = f"/holdfast/{name}"  # as CloudEvents have it
        self._waiting: asyncio.Queue[tuple[str, bytes, bytes]] = asyncio.Queue()
        self._producer: AIOKafkaProducer  # made in start: it needs the running loop
        self._numbers = itertools.count()
        self._start = uuid.uuid4().hex[:12]  # event ids must not repeat over restarts
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect."""
        self._producer = sender(self._settings.broker)
        await self._producer.start()
        self._task = asyncio.create_task(self._send_all(), name="outbox")

    async def stop(self) -> None:
        """Send what waits, then disconnect."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._waiting.join()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._producer.stop()

    def event_id(self) -> str:
        """One that no other event of this source has."""
        return f"{self._start}-{next(self._numbers)}"

    def put(self, topic: Topic, key: str, value: bytes) -> None:
        """Have a record sent."""
        self._waiting.put_nowait((name_of(topic, self._settings.topics), key.encode(), value))

    async def _send_all(self) -> None:
        while True:
            topic, key, value = await self._waiting.get()
            try:
                await self._producer.send_and_wait(topic, key=key, value=value)
            except Exception as error:  # noqa: BLE001 - a failure nobody hears of is worse than a restart
                give_up("event_not_sent", error)
            self._waiting.task_done()
