"""Faust as far as the deciding agent knows it: a channel, an agent on it, and events that may get lost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any


class FakeChannel:
    """Hands on what is put into it, but for the first `loses` items."""

    def __init__(self, maxsize: int) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue(maxsize)
        self.offered = 0
        self.loses = 0

    async def put(self, event: Any) -> None:
        self.offered += 1
        if self.offered > self.loses:
            await self.queue.put(event)


class FakeFaust:
    """An app with one agent, started when the test says so."""

    consumer_generation_id = 7

    def __init__(self) -> None:
        self.generations: list[int] = []
        self._task: asyncio.Task[None] | None = None

    def channel(self, *, maxsize: int) -> FakeChannel:
        self.in_channel = FakeChannel(maxsize)
        return self.in_channel

    def agent(self, channel: FakeChannel, *, name: str, concurrency: int) -> Callable[[Callable[..., Any]], None]:
        self.concurrency = concurrency

        def takes(receive: Callable[[AsyncIterator[Any]], Coroutine[Any, Any, None]]) -> None:
            self._receive = receive

        return takes

    def create_event(self, key: Any, value: Any, headers: Any, message: Any) -> Any:
        self.generations.append(message.generation_id)
        return value

    def start(self) -> None:
        self._task = asyncio.create_task(self._receive(self._stream()))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _stream(self) -> AsyncIterator[Any]:
        while True:
            yield await self.in_channel.queue.get()
