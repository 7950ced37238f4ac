"""A whole installation for chaos: every part can be killed, stopped or kept away, by its process id."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from chaos.clock import Clock
from chaos.finding_chaos import with_chaos
from chaos.lone_broker import LoneBroker
from chaos.order import Order
from chaos.three_brokers import COPIES, ThreeBrokers
from chaos.warmth import warm_up
from support.scorers import scorers_of

from streams.broker.topic_admin import create_topics
from streams.operating.warming import hand_over
from streams.settings import Settings, load_settings
from streams.supervising.restarts import RestartPolicy
from streams.supervising.supervisor import Child, Kept, Supervisor

READY_SECONDS = 90.0
AT_ONCE = RestartPolicy(first_pause=0.05, longest_pause=1.0)
LEARNER = {
    "HOLDFAST_LEARNER_DRIFT_AFTER_LABELS": "1000000000",  # a model that learns so fast is not what it was
    "HOLDFAST_LEARNER_LEAST_LABELS": "200",
    "HOLDFAST_LEARNER_LEAST_FRAUDS": "3",
    "HOLDFAST_LEARNER_PUBLISH_INTERVAL_SECONDS": "5",
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
    """Kafka, topics, workers and a learner, as an order needs them, below `home`; all is ready within the block."""

    home: Path
    order: Order
    parts: dict[str, Part] = field(default_factory=dict)
    clocks: dict[str, Clock] = field(default_factory=dict)  # of each process, if they are to be stepped
    settings: Settings = field(init=False)
    _brokers: LoneBroker | ThreeBrokers = field(init=False)
    _opened: AsyncExitStack = field(init=False)

    @property
    def lone(self) -> LoneBroker:
        """The one broker."""
        assert isinstance(self._brokers, LoneBroker), "there are three brokers"
        return self._brokers

    @property
    def three(self) -> ThreeBrokers:
        """The three brokers."""
        assert isinstance(self._brokers, ThreeBrokers), "there is one broker"
        return self._brokers

    def environment(self) -> dict[str, str]:
        """What brings a process of the product to these topics."""
        here = {
            "HOLDFAST_BROKER": self._brokers.bootstrap,
            "HOLDFAST_TOPICS_PARTITIONS": str(self.order.partitions),
            "HOLDFAST_METRICS_WORKER_PORT": "-1",
            "HOLDFAST_METRICS_LEARNER_PORT": "-1",
        } | (COPIES if self.order.brokers > 1 else {})
        return {**with_chaos(os.environ), **here, **LEARNER, **self.order.overrides}

    def names(self) -> list[str]:
        """The workers."""
        return [f"worker-{number}" for number in range(1, self.order.workers + 1)]

    def victim(self, chosen: float) -> Part:
        """The worker that a number from 0 to 1 points at."""
        names = self.names()
        return self.parts[names[min(int(chosen * len(names)), len(names) - 1)]]

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
        async with AsyncExitStack() as opened:
            await self._start(opened)
            self._opened = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    async def _start(self, opened: AsyncExitStack) -> None:
        self._brokers = await opened.enter_async_context(self._ordered_brokers())
        environment = self.environment()
        self.settings = load_settings(None, environment)
        await create_topics(self.settings)
        await hand_over(self.settings, warm_up(), now=time.time())
        for name in self.names():
            self._add(name, (*self._worker(), "worker"), environment | {"HOLDFAST_INSTANCE": name})
        self._add("learner", (*COMMAND, "learner"), environment)
        for part in self.parts.values():
            opened.push_async_callback(part.stop)
        await asyncio.gather(*(part.start() for part in self.parts.values()))

    def _ordered_brokers(self) -> LoneBroker | ThreeBrokers:
        order, directory = self.order, self.home / "kafka"
        if order.brokers > 1:
            return ThreeBrokers(directory)
        logs = self.home / "logs"
        return LoneBroker(directory, logs, proxied=order.proxied, own_disk=order.own_disk, seed=order.seed)

    def _worker(self) -> tuple[str, ...]:
        mutant = self.order.mutant
        return (sys.executable, "-m", "chaos.mutants", mutant) if mutant else COMMAND

    def _add(self, name: str, command: tuple[str, ...], environment: Mapping[str, str]) -> None:
        if self.order.own_clocks:
            self.clocks[name] = Clock(self.home / "clocks" / name)
            command = self.clocks[name].over(command)
        child = Child(
            name=name,
            command=command,
            environment=environment,
            ready_within_seconds=READY_SECONDS,
            spare=name != "learner",
        )
        self.parts[name] = Part(child, self.home / "logs")
