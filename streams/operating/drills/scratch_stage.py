"""A scratch installation under load, with a hand on everything that can fail."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from models.online import OnlineModel
from models.simulator.policy import TrafficPolicy
from models.snapshot import Snapshot, to_plain
from models.transaction import Transaction
from models.warm_up import WarmUp
from streams.broker.clients import sender
from streams.broker.embedded import EmbeddedKafka
from streams.broker.kafka_launch import KafkaOptions
from streams.broker.topic_admin import create_topics
from streams.broker.topics import Topic, name_of
from streams.operating.drills.stage import Stage
from streams.operating.installation import Installation, Plan, Told, running
from streams.operating.scratch import scratch_environment
from streams.operating.warming import hand_over, learnt_from_simulation
from streams.settings import load_settings
from streams.wire.codec import write_transaction
from streams.wire.snapshot_record import CHAMPION, SnapshotRecord, write_snapshot

WORKERS = 2
HEAP_MB = 512
WARM_UP_PAYMENTS = 40_000
SETTINGS = """\
# Settings of `holdfast drill`: those of production, but for what a drill needs.
sandbox = true                  # faults on the control topic are obeyed

[watch]
canaries = false                # every payment here is the traffic's

[topics]
partitions = 4

[lanes]
min_batch_interval_ms = 50      # fewer, larger Kafka transactions: one small machine does it all here

[deadline]
lag_enter = 300                 # a burst must be beyond it however fast it is decided
lag_leave = 50

[block_limit]
window_seconds = 20.0           # a drill does not last long

[learner]
publish_interval_seconds = 86400.0  # the model is the drill's to change
publish_every_labels = 1000000000
drift_after_labels = 1000000000 # it learnt from other cards, and nobody may mend that here
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchStage(Stage):
    """The installation, and what a drill may do to it alone."""

    installation: Installation
    kafka: EmbeddedKafka
    champion: Snapshot

    def kill(self, part: str) -> None:
        """Kill a process of the installation, with all that it started."""
        self._signal(part, signal.SIGKILL)

    def freeze(self, part: str) -> None:
        """Stop a process in the middle of whatever it does, with all that it started."""
        self._signal(part, signal.SIGSTOP)

    def thaw(self, part: str) -> None:
        """Let it go on."""
        self._signal(part, signal.SIGCONT)

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

    def _signal(self, part: str, number: signal.Signals) -> None:
        for kept in self.installation.supervisor:
            if kept.child.name == part and kept.pid is not None:
                os.killpg(kept.pid, number)


@cache
def _warm_up() -> WarmUp:
    """Once for all rounds; handing it over uses it up."""
    return learnt_from_simulation(TrafficPolicy(seed=99), WARM_UP_PAYMENTS)


@asynccontextmanager
async def scratch_stage(home: Path, told: Told) -> AsyncIterator[ScratchStage]:
    """A scratch installation whose model has learnt from simulated traffic; all of it is gone after the block."""
    told("model", f"learns {WARM_UP_PAYMENTS:,} simulated payments")
    warm_up = deepcopy(await asyncio.to_thread(_warm_up))
    kafka = EmbeddedKafka(home / "kafka", KafkaOptions(heap_mb=HEAP_MB))
    async with kafka:
        environment = scratch_environment(home, SETTINGS) | {"HOLDFAST_BROKER": kafka.bootstrap}
        settings = load_settings(None, environment)
        await create_topics(settings)
        await hand_over(settings, warm_up, now=datetime.now(UTC).timestamp())
        plan = Plan(home=home, environment=environment, workers=WORKERS, own_kafka=False, reconciled=True, watched=True)
        async with running(plan, told) as installation, sender(settings.broker, linger_ms=2) as producer:
            yield ScratchStage(
                settings=settings,
                installation=installation,
                kafka=kafka,
                producer=producer,
                champion=warm_up.learner.model.snapshot(),
            )
