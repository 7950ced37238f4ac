"""How many payments have come in, by where the partitions of the input end: no record is read for it."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from rules.inflow import Inflow
from streams.broker.clients import reader
from streams.broker.reading import partitions_of
from streams.broker.topics import Topic
from streams.settings import Settings

LOOK_SECONDS = 1.0


class InputEnds:
    """Looks from `start` to `stop`.

    `not_payments`: how many of the records are nobody's payments, those included that are on their way.
    """

    def __init__(self, settings: Settings, *, not_payments: Callable[[], int]) -> None:
        self._settings = settings
        self._not_payments = not_payments
        self._consumer: AIOKafkaConsumer  # made in start: it needs the running loop
        self._task: asyncio.Task[None] | None = None
        self.inflow = Inflow(settings.watch.input_silent_seconds)

    async def start(self) -> None:
        """Connect and look."""
        self._consumer = reader(self._settings.broker)
        await self._consumer.start()
        self._task = asyncio.create_task(self._look(), name="input ends")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._consumer.stop()

    async def _look(self) -> None:
        partitions = partitions_of(self._settings, [Topic.TRANSACTIONS])
        while True:
            with contextlib.suppress(KafkaError):  # the broker is away: the watcher says so by itself
                ends = await self._consumer.end_offsets(partitions)
                self.inflow.counted(sum(ends.values()) - self._not_payments(), time.monotonic())
            await asyncio.sleep(LOOK_SECONDS)
