"""A whole installation for chaos: every part can be killed, stopped or kept away, by its process id."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import psutil
from chaos.proxy import FaultProxy
from chaos.warmth import warm_up
from confluent_kafka.admin import AdminClient, ClusterMetadata
from support.scorers import scorers_of

from streams.broker.cluster_layout import NODES
from streams.broker.embedded import EmbeddedKafka
from streams.broker.embedded_cluster import NODE_HEAP_MB, EmbeddedCluster
from streams.broker.kafka_launch import KafkaOptions
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
COPIES = {"HOLDFAST_TOPICS_REPLICATION_FACTOR": "3", "HOLDFAST_TOPICS_MIN_INSYNC_REPLICAS": "2"}
# Soon after it is back a broker leads its share of partitions again, so that the next kill hits leaders too.
LEADERS_BACK = {"leader.imbalance.check.interval.seconds": "2"}
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
    brokers: int = 1  # or 3, with a copy of everything on each
    proxied: bool = False  # a fault proxy stands between the one broker and all clients
    seed: int = 1  # of the proxy's chance
    overrides: Mapping[str, str] = field(default_factory=dict)  # further HOLDFAST_* variables
    parts: dict[str, Part] = field(default_factory=dict)
    broker: EmbeddedKafka | EmbeddedCluster = field(init=False)
    proxy: FaultProxy = field(init=False)
    settings: Settings = field(init=False)
    _opened: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def lone(self) -> EmbeddedKafka:
        """The one broker."""
        if isinstance(self.broker, EmbeddedCluster):
            raise TypeError("there are three")
        return self.broker

    async def start_broker(self) -> None:
        """Start it, for the first time or after it was killed."""
        await asyncio.to_thread(self.lone.start)
        self.proxy.lead_to(self.lone.port)

    def broker_in_turn(self, number: int) -> EmbeddedKafka:
        """One broker of three: each in its turn."""
        if not isinstance(self.broker, EmbeddedCluster):
            raise TypeError("there is only one")
        return self.broker.nodes[1 + (number - 1) % NODES]

    async def copied(self) -> None:
        """Return once every replica of every partition is in sync again. Raises TimeoutError."""
        client = AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})
        async with asyncio.timeout(READY_SECONDS):
            while behind(await asyncio.to_thread(client.list_topics, timeout=10)):
                await asyncio.sleep(0.2)

    def environment(self) -> dict[str, str]:
        """What brings a process of the product to these topics."""
        here = {
            "HOLDFAST_BROKER": self.broker.bootstrap,
            "HOLDFAST_TOPICS_PARTITIONS": str(self.partitions),
            "HOLDFAST_METRICS_WORKER_PORT": "-1",
            "HOLDFAST_METRICS_LEARNER_PORT": "-1",
        } | (COPIES if self.brokers > 1 else {})
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

    def __post_init__(self) -> None:
        if self.brokers not in (1, NODES) or (self.brokers > 1 and self.proxied):
            raise ValueError(f"1 broker, behind a proxy or not, or {NODES} without one")

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

    async def _start_brokers(self) -> None:
        self.proxy = await self._opened.enter_async_context(FaultProxy(rng=Random(self.seed)))
        if self.brokers > 1:
            options = KafkaOptions(heap_mb=NODE_HEAP_MB, properties=LEADERS_BACK)
            self.broker = await self._opened.enter_async_context(EmbeddedCluster(self.home / "kafka", options))
            return
        advertised = f"127.0.0.1:{self.proxy.port}" if self.proxied else None
        self.broker = EmbeddedKafka(self.home / "kafka", KafkaOptions(heap_mb=768, advertised=advertised))
        self._opened.push_async_callback(asyncio.to_thread, self.broker.stop)
        await self.start_broker()

    async def _start(self) -> None:
        await self._start_brokers()
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

    def _worker(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "chaos.mutants", self.mutant) if self.mutant else COMMAND

    def _add(self, name: str, command: tuple[str, ...], environment: Mapping[str, str]) -> None:
        child = Child(name=name, command=command, environment=environment, ready_within_seconds=READY_SECONDS)
        self.parts[name] = Part(child, self.home / "logs")


def behind(metadata: ClusterMetadata) -> list[str]:
    """Partitions of which a replica is not in sync."""
    return [
        f"{topic}-{number}"
        for topic, its in metadata.topics.items()
        for number, partition in its.partitions.items()
        if len(partition.isrs) < len(partition.replicas)
    ]
