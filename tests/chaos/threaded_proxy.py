"""A fault proxy for code that has no event loop, or whose loop must not be shared."""

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

from chaos.proxy import Applied, Direction, Down, Fault, FaultProxy

ANSWER_SECONDS = 10.0

Answer = TypeVar("Answer")


class ThreadedProxy:
    """`FaultProxy` in a thread with a loop of its own, for the block; a call returns when it is done."""

    def __init__(self, target_port: int | None = None, *, rng: random.Random) -> None:
        self._proxy = FaultProxy(target_port, rng=rng)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="fault-proxy", daemon=True)
        self._started: Future[asyncio.AbstractEventLoop] = Future()
        self._stop = asyncio.Event()

    @property
    def port(self) -> int:
        """Where clients connect to; it stays the same."""
        return self._there(lambda: self._proxy.port)

    @property
    def connections(self) -> int:
        """How many are carried now."""
        return self._there(lambda: self._proxy.connections)

    @property
    def accepted(self) -> int:
        """Connections since the beginning."""
        return self._there(lambda: self._proxy.accepted)

    def lead_to(self, target_port: int) -> None:
        """Lead new connections there."""
        self._there(lambda: self._proxy.lead_to(target_port))

    @contextmanager
    def fault(
        self, fault: Fault, *, direction: Direction = Direction.BOTH, toxicity: float = 1.0
    ) -> Iterator[Applied | Down]:
        """Have a fault for the block."""
        applied = self.add(fault, direction=direction, toxicity=toxicity)
        try:
            yield applied
        finally:
            self.remove(applied)

    def add(self, fault: Fault, *, direction: Direction = Direction.BOTH, toxicity: float = 1.0) -> Applied | Down:
        """Have a fault until what this returns is removed. Raises ValueError for a part of `Down`."""
        return self._there(lambda: self._proxy.add(fault, direction=direction, toxicity=toxicity))

    def remove(self, applied: Applied | Down) -> None:
        """Take a fault away. Raises ValueError if it is not there, or no longer."""
        self._there(lambda: self._proxy.remove(applied))

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.result(ANSWER_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._there(self._stop.set)
        self._thread.join(ANSWER_SECONDS)

    async def _serve(self) -> None:
        try:
            async with self._proxy:
                self._started.set_result(asyncio.get_running_loop())
                await self._stop.wait()
        except OSError as error:
            self._started.set_exception(error)

    def _there(self, act: Callable[[], Answer]) -> Answer:
        async def acting() -> Answer:
            return act()

        loop = self._started.result(ANSWER_SECONDS)
        return asyncio.run_coroutine_threadsafe(acting(), loop).result(ANSWER_SECONDS)
