"""What runs for as long as a block lasts, plain or async."""

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class RunsInBlock(ABC):
    """Started at the beginning of the block and stopped at its end; in an async one the loop is not held meanwhile."""

    @abstractmethod
    def start(self) -> Self:
        """Start it; return once it serves."""

    @abstractmethod
    def stop(self) -> bool:
        """Stop it; whether it ran."""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)
