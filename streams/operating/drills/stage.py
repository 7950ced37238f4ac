"""Where drills are played: a scratch installation under load, with a hand on everything that can fail."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiokafka import AIOKafkaProducer

from models.online import OnlineModel
from models.simulator.policy import TrafficPolicy
from models.snapshot import Snapshot, to_plain
from models.transaction import Transaction
from streams.broker.clients import sender
from streams.broker.embedded import EmbeddedKafka
from streams.broker.kafka_launch import KafkaOptions
from streams.broker.topic_admin import create_topics
from streams.broker.topics import Topic, name_of
from streams.operating.installation import Installation, Plan, Told, running
from streams.operating.scratch import scratch_environment
from streams.operating.warming import hand_over, learnt_from_simulation
from streams.settings import Settings, load_settings
from streams.wire.codec import write_transaction
from streams.wire.control import FAULT, write_fault
from streams.wire.scorer_fault import FaultKind, ScorerFault
from streams.wire.snapshot_record import CHAMPION, SnapshotRecord, write_snapshot

WORKERS = 2
HEAP_MB = 512
WARM_UP_PAYMENTS = 40_000
SETTINGS = """\
# Settings of `holdfast drill`: those of production, but for what a drill needs.
sandbox = true                  # faults on the control topic are obeyed

[topics]
partitions = 4

[lanes]
min_batch_interval_ms = 25      # fewer, larger Kafka transactions: one small machine does it all here

[block_limit]
window_seconds = 20.0           # a drill does not last long

[learner]
publish_interval_seconds = 86400.0  # the model is the drill's to change
publish_every_labels = 1000000000
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The installation, and what a drill may do to it."""

    installation: Installation
    kafka: EmbeddedKafka
    producer: AIOKafkaProducer
    champion: Snapshot

    @property
    def settings(self) -> Settings:
        """Of all its processes."""
        return self.installation.settings

    async def misbehave(self, kind: FaultKind, *, delay_ms: float = 0.0, lasting: bool = True) -> None:
        """Have every scorer fail."""
        fault = ScorerFault(kind=kind, delay_ms=delay_ms, lasting=lasting, who="holdfast drill", why="to be ready")
        await self.send(Topic.CONTROL, FAULT, write_fault(fault))

    def kill(self, part: str) -> None:
        """Kill a process of the installation, with all that it started."""
        for kept in self.installation.supervisor:
            if kept.child.name == part and kept.pid is not None:
                os.killpg(kept.pid, signal.SIGKILL)

    async def publish(self, snapshot: Snapshot, *, age: timedelta = timedelta(0)) -> None:
        """Put a model into use, as if it had been made so long ago."""
        record = SnapshotRecord(created_at=datetime.now(UTC) - age, snapshot=to_plain(snapshot))
        await self.send(Topic.MODELS, CHAMPION, write_snapshot(record))

    def wrong_model(self) -> Snapshot:
        """A sound snapshot of a model that takes every payment for fraud."""
        wrong = replace(self.champion, scored_intercept=self.champion.scored_intercept + 12.0)
        return OnlineModel.from_snapshot(wrong).snapshot()

    async def pay_at_once(self, transactions: list[Transaction]) -> None:
        """Send payments as fast as the broker takes them."""
        topic = name_of(Topic.TRANSACTIONS, self.settings.topics)
        sent = [
            await self.producer.send(topic, key=each.pan_token.encode(), value=write_transaction(each))
            for each in transactions
        ]
        await asyncio.gather(*sent)

    async def send(self, topic: Topic, key: bytes, value: bytes) -> None:
        """One record of any topic."""
        await self.producer.send_and_wait(name_of(topic, self.settings.topics), key=key, value=value)


@asynccontextmanager
async def staged(home: Path, told: Told) -> AsyncIterator[Stage]:
    """A scratch installation whose model has learnt from simulated traffic; all of it is gone after the block."""
    told("model", f"learns {WARM_UP_PAYMENTS:,} simulated payments")
    warm_up = await asyncio.to_thread(learnt_from_simulation, TrafficPolicy(seed=99), WARM_UP_PAYMENTS)
    kafka = EmbeddedKafka(home / "kafka", KafkaOptions(heap_mb=HEAP_MB))
    async with kafka:
        environment = scratch_environment(home, SETTINGS) | {"HOLDFAST_BROKER": kafka.bootstrap}
        settings = load_settings(None, environment)
        await create_topics(settings)
        await hand_over(settings, warm_up, now=datetime.now(UTC).timestamp())
        plan = Plan(home=home, environment=environment, workers=WORKERS, own_kafka=False, reconciled=True)
        async with running(plan, told) as installation, sender(settings.broker, linger_ms=2) as producer:
            yield Stage(
                installation=installation,
                kafka=kafka,
                producer=producer,
                champion=warm_up.learner.model.snapshot(),
            )
