"""The one broker of an installation, behind a fault proxy and on a disk of its own where a fault needs them."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from chaos.disk import Disk
from chaos.proxy_process import FarProxy

from streams.broker.embedded import EmbeddedKafka
from streams.broker.jars import kafka_jars
from streams.broker.kafka_launch import KafkaOptions, format_data

HEAP_MB = 768


class LoneBroker:
    """Runs within the block; what its ended processes said is kept in `logs`."""

    def __init__(self, directory: Path, logs: Path, *, proxied: bool, own_disk: bool, seed: int) -> None:
        self._logs = logs
        self._own_disk = own_disk
        self._far = FarProxy(seed) if proxied else None
        self._disk: Disk | None = None
        self._kafka = EmbeddedKafka(directory, KafkaOptions(heap_mb=HEAP_MB))
        self._opened: AsyncExitStack

    @property
    def bootstrap(self) -> str:
        """Where clients connect to."""
        return self._kafka.bootstrap

    @property
    def proxy(self) -> FarProxy:
        """Between all clients and the broker."""
        assert self._far is not None, "this broker has no proxy"
        return self._far

    @property
    def disk(self) -> Disk:
        """Of the broker's data alone."""
        assert self._disk is not None, "this broker has no disk of its own"
        return self._disk

    @property
    def runs(self) -> bool:
        """Whether anything is left of its process."""
        return self._kafka.home.occupied()

    async def start(self) -> None:
        """Start it, for the first time or after it ended."""
        self._logs.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            self._kafka.home.log.rename(self._logs / f"kafka-{sum(1 for _ in self._logs.glob('kafka-*'))}.log")
        await asyncio.to_thread(self._kafka.start)
        if self._far is not None:
            await self._far.lead_to(self._kafka.port)

    async def kill(self) -> None:
        """kill -9."""
        await asyncio.to_thread(self._kafka.kill)

    def processes(self) -> list[psutil.Process]:
        """Its processes, to be stopped."""
        first = psutil.Process(self._kafka.pid)
        return [first, *first.children(recursive=True)]

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            if self._far is not None:
                await opened.enter_async_context(self._far)
                self._kafka.options = KafkaOptions(heap_mb=HEAP_MB, advertised=f"127.0.0.1:{self._far.port}")
            if self._own_disk:
                self._disk = opened.enter_context(await asyncio.to_thread(self._formatted_disk))
            opened.push_async_callback(asyncio.to_thread, self._kafka.stop)
            await self.start()
            self._opened = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    def _formatted_disk(self) -> Disk:
        """Only Kafka's data, once it is formatted: what it says must be read when nothing more fits on its disk."""
        home = self._kafka.home
        home.directory.mkdir(parents=True, exist_ok=True)
        format_data(home, kafka_jars())
        return Disk(home.data)
