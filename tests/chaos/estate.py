"""A whole installation for chaos: every part can be killed, stopped or kept away, by its process id."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from chaos.clock import Clock
from chaos.disk import Disk
from chaos.proxy_process import FarProxy
from chaos.warmth import warm_up
from support.scorers import scorers_of

from streams.broker.embedded import EmbeddedKafka
from streams.broker.jars import kafka_jars
from streams.broker.kafka_launch import KafkaOptions, format_data
from streams.broker.topic_admin import create_topics
from streams.operating.restarts import RestartPolicy
from streams.operating.supervisor import Child, Kept, Supervisor
from streams.operating.warming import hand_over
from streams.settings import Settings, load_settings

READY_SECONDS = 90.0
AT_ONCE = RestartPolicy(first_pause=0.05, longest_pause=1.0)
LEARNER = {
    "HOLDFAST_LEARNER_LEAST_LABELS": "200",
    "HOLDFAST_LEARNER_LEAST_FRAUDS": "3",
    "HOLDFAST_LEARNER_PUBLISH_INTERVAL_SECONDS": "2",
}
COMMAND = (sys.executable, "-m", "streams.operating.cli")


@dataclass(slots=True)
class Part:
    """One process under a supervisor of its own, so that it can be kept away."""

    child: Child
    logs: Path
    supervisor: Supervisor | None = None

    async def start(self) -> None:
        """Run it, and restart it at once whenever it ends."""
        self.supervisor = Supervisor(self.logs, policy=AT_ONCE)
        await self.supervisor.start(self.child)

    async def stop(self) -> None:
        """End it and do not restart it."""
        if self.supervisor is not None:
            await self.supervisor.stop()
            self.supervisor = None

    @property
    def kept(self) -> Kept | None:
        """What the supervisor keeps, if it does."""
        return next(iter(self.supervisor), None) if self.supervisor else None

    def process(self) -> psutil.Process | None:
        """The process itself, below its leash; none while it is down."""
        if self.kept is None or self.kept.pid is None:
            return None
        try:
            children = psutil.Process(self.kept.pid).children()
        except psutil.NoSuchProcess:
            return None
        return children[0] if children else None


@dataclass(slots=True)
class Estate:
    """Kafka, topics, workers and a learner, below `home`; everything is ready within the block."""

    home: Path
    workers: int = 3
    partitions: int = 6
    mutant: str | None = None  # of the workers: see chaos.mutants
    proxied: bool = False  # a fault proxy stands between the broker and all clients; it takes a part of a core
    seed: int = 1  # of the proxy's chance
    own_disk: bool = False  # the broker's data lies on a disk that can be filled
    own_clocks: bool = False  # workers and learner go by clocks that can be stepped
    overrides: Mapping[str, str] = field(default_factory=dict)  # further HOLDFAST_* variables
    parts: dict[str, Part] = field(default_factory=dict)
    broker: EmbeddedKafka = field(init=False)
    proxy: FarProxy | None = None
    disk: Disk = field(init=False)  # if it is its own
    clocks: dict[str, Clock] = field(default_factory=dict)  # of each process, if they are their own
    settings: Settings = field(init=False)
    _opened: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start_broker(self) -> None:
        """Start it, for the first time or after it ended. What it said before is kept beside the other logs."""
        self._keep_broker_log()
        await asyncio.to_thread(self.broker.start)
        if self.proxy is not None:
            await self.proxy.lead_to(self.broker.port)

    def _keep_broker_log(self) -> None:
        logs = self.home / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            self.broker.home.log.rename(logs / f"kafka-{sum(1 for _ in logs.glob('kafka-*'))}.log")

    def environment(self) -> dict[str, str]:
        """What brings a process of the product to these topics."""
        here = {
            "HOLDFAST_BROKER": self.broker.bootstrap,
            "HOLDFAST_TOPICS_PARTITIONS": str(self.partitions),
            "HOLDFAST_METRICS_WORKER_PORT": "-1",
            "HOLDFAST_METRICS_LEARNER_PORT": "-1",
        }
        return {**os.environ, **here, **LEARNER, **self.overrides}

    def names(self) -> list[str]:
        """The workers."""
        return [f"worker-{number}" for number in range(1, self.workers + 1)]

    def victim(self, chosen: float) -> Part:
        """The worker that a number from 0 to 1 points at."""
        return self.parts[self.names()[min(int(chosen * self.workers), self.workers - 1)]]

    def scorer_of(self, part: Part) -> psutil.Process | None:
        """The scorer that a worker asks, or the newest of two."""
        worker = part.process()
        if worker is None:
            return None
        try:
            scorers = scorers_of(worker.pid)
        except psutil.NoSuchProcess:
            return None
        return scorers[-1] if scorers else None

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._opened.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    async def _start(self) -> None:
        if self.proxied:
            self.proxy = await self._opened.enter_async_context(FarProxy(self.seed))
        advertised = f"127.0.0.1:{self.proxy.port}" if self.proxy is not None else None
        self.broker = EmbeddedKafka(self.home / "kafka", KafkaOptions(heap_mb=768, advertised=advertised))
        if self.own_disk:
            await asyncio.to_thread(self._mount)
        self._opened.push_async_callback(asyncio.to_thread, self.broker.stop)
        await self.start_broker()
        environment = self.environment()
        self.settings = load_settings(None, environment)
        await create_topics(self.settings)
        await hand_over(self.settings, warm_up(), now=time.time())
        for name in self.names():
            self._add(name, (*self._worker(), "worker"), environment | {"HOLDFAST_INSTANCE": name})
        self._add("learner", (*COMMAND, "learner"), environment)
        for part in self.parts.values():
            self._opened.push_async_callback(part.stop)
        await asyncio.gather(*(part.start() for part in self.parts.values()))

    def _mount(self) -> None:
        """Only Kafka's data, once it is formatted: what it says must be read when nothing more fits on its disk."""
        home = self.broker.home
        home.directory.mkdir(parents=True, exist_ok=True)
        format_data(home, kafka_jars())
        self.disk = self._opened.enter_context(Disk(home.data))

    def _worker(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "chaos.mutants", self.mutant) if self.mutant else COMMAND

    def _add(self, name: str, command: tuple[str, ...], environment: Mapping[str, str]) -> None:
        if self.own_clocks:
            self.clocks[name] = Clock(self.home / "clocks" / name)
            command = self.clocks[name].over(command)
        child = Child(name=name, command=command, environment=environment, ready_within_seconds=READY_SECONDS)
        self.parts[name] = Part(child, self.home / "logs")
