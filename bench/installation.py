"""An installation to measure: a broker with topics and a model of ordinary size, and workers that are pinned apart.

Workers and scorers have one processor; the broker, and whoever feeds and reads, the other, where there are two.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bench.ages import MOST_KEPT, Reader
from bench.processes import running_worker
from bench.sending import Sender
from bench.spending import BROKER_CORE, CLIENT_CORE, pin
from models.simulator.policy import TrafficPolicy
from streams.broker.embedded import EmbeddedKafka
from streams.broker.kafka_launch import KafkaOptions
from streams.broker.topic_admin import create_topics
from streams.broker.topics import DECISIONS, Topic, name_of
from streams.operating.warming import hand_over, learnt_from_simulation
from streams.settings import Settings, load_settings

WARM_UP_PAYMENTS = 40_000  # a model of ordinary size, so that the scorer has its usual work


@dataclass(frozen=True, slots=True)
class Installation:
    """What a bench needs to know of it."""

    home: Path
    environment: Mapping[str, str]
    settings: Settings
    broker: psutil.Process

    @property
    def decisions(self) -> list[str]:
        """The names of the topics on which it decides."""
        return [name_of(each, self.settings.topics) for each in DECISIONS.values()]

    def sender(self) -> Sender:
        """Sends it payments."""
        topics = self.settings.topics
        return Sender(self.settings.broker.bootstrap_servers, name_of(Topic.TRANSACTIONS, topics), topics.partitions)

    def reader(self, most: int = MOST_KEPT) -> Reader:
        """Reads its decisions, and keeps so many."""
        return Reader(self.settings.broker.bootstrap_servers, self.decisions, self.settings.topics.partitions, most)

    @contextmanager
    def worker(self, name: str = "worker-1") -> Iterator[psutil.Process]:
        """A worker, stopped after the block."""
        with running_worker(self.environment, self.home / f"{name}.log", name) as worker:
            pin(worker, CLIENT_CORE)
            yield worker


@contextmanager
def installation(
    home: Path, told: Mapping[str, str], *, partitions: int, options: KafkaOptions | None = None
) -> Iterator[Installation]:
    """In this directory, by settings as variables of the environment. Whoever asks shares the broker's processor."""
    pin(psutil.Process(), BROKER_CORE)
    with EmbeddedKafka(home / "kafka", options) as kafka:
        environment = {
            **os.environ,
            "HOLDFAST_BROKER": kafka.bootstrap,
            "HOLDFAST_TOPICS_PARTITIONS": str(partitions),
            "HOLDFAST_METRICS_WORKER_PORT": "0",
            **told,
        }
        settings = load_settings(None, environment)
        asyncio.run(create_topics(settings))
        _teach(settings)
        yield Installation(home, environment, settings, psutil.Process(kafka.pid))


def _teach(settings: Settings) -> None:
    """Of what it takes nothing is kept here: whoever measures would share the processor with the search for garbage."""
    warm_up = learnt_from_simulation(TrafficPolicy(seed=99), WARM_UP_PAYMENTS)
    asyncio.run(hand_over(settings, warm_up, now=datetime.now(UTC).timestamp()))
