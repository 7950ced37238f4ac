"""The Faust app of a worker: agents, and no Kafka of its own; and how its process ends.

Faust's own Kafka client would be a second group beside that of the lanes: while it settles, streams drop what is in
their channels, and after a broker's restart it was seen to settle for longer than ten seconds.

At the end lanes finish what they have in hand while the agent still decides, and then all is over at once. Faust alone
stops its agents first, and the batches in hand would wait for an answer that never comes; and it waits for two seconds
for tasks that are nobody's, while the partitions wait for the next process.
"""

import asyncio
from typing import Any

import faust


class WithoutKafka(faust.App.BootStrategy):  # type: ignore[misc]
    """Starts agents, and neither consumer nor producer nor tables."""

    enable_kafka = False


class DecidingApp(faust.App):  # type: ignore[misc]
    """An app with a service that is stopped before anything else is."""

    BootStrategy = WithoutKafka
    first_to_stop: faust.Service | None = None

    async def on_start(self) -> None:
        """Open the channels: Faust does so when its consumer has partitions."""
        await super().on_start()
        self.flow_control.resume()

    async def on_stop(self) -> None:
        """Stop that service, then what Faust would have stopped."""
        try:
            if self.first_to_stop is not None:
                await self.first_to_stop.stop()
        finally:
            await super().on_stop()
            if self._consumer is not None:  # a stream makes one; it was never started, and its thread has a loop
                self._consumer._thread.thread_loop.close()  # noqa: SLF001 - nobody else closes it


class Process(faust.Worker):  # type: ignore[misc]
    """The process of such an app."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.spinner = None  # it writes control characters into logs

    def _gather_all(self) -> None:
        for task in asyncio.all_tasks(loop=self.loop):
            task.cancel()

    async def _sentinel_task(self) -> None:
        """The last that the loop runs."""
