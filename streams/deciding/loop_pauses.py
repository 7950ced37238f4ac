"""How long the event loop was held: as long as it is, no heartbeat is sent and nobody else is served."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

TICK_SECONDS = 0.005


class LoopPauses:
    """Notes the longest pause of the loop within its block, by a task that wants its turn every few milliseconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.longest = 0.0  # seconds
        self._monotonic = monotonic
        self._due = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._due = self._monotonic()
        self._task = asyncio.create_task(self._tick(), name="loop pauses")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._note()  # a pause that ends the block is one too
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _tick(self) -> None:
        while True:
            self._note()
            self._due = self._monotonic() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)

    def _note(self) -> None:
        self.longest = max(self.longest, self._monotonic() - self._due)
