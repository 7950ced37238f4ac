"""How many transactions a second one worker decides, with everything on, and what each costs in processor time.

    python -m bench.throughput --payments 200000

Payments wait on the topic when the worker starts. Deadlines and bounds of the lag are lifted, or it would go by rules;
all else is as in production: features, model in the scorer, rules, contributions, three topics, profile changelog,
exactly once. Worker and scorer have one processor, the broker and the reader of decisions the other, where there are
two. Between the first tenth of the decisions and the last, by the worker's own timestamps.
"""

import asyncio
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import orjson
import psutil
import typer
from confluent_kafka import Consumer, Producer, TopicPartition
from rich.console import Console
from rich.table import Table

from bench.spending import BROKER_CORE, CLIENT_CORE, Spending, pin
from bench.worker_process import running_worker
from models.simulator.policy import TrafficPolicy
from models.simulator.traffic import traffic
from streams.broker.embedded import EmbeddedKafka
from streams.broker.topic_admin import create_topics
from streams.broker.topics import DECISIONS, Topic, name_of
from streams.operating.machine import cores_and_processor
from streams.operating.warming import hand_over, learnt_from_simulation
from streams.settings import Settings, load_settings
from streams.wire.codec import write_transaction

WARM_UP_PAYMENTS = 40_000  # a model of ordinary size, so that the scorer has its usual work
PATIENCE_SECONDS = 300.0
MEASURED_FROM = 0.1  # of the decisions
LIFTED = {  # bounds beyond which rules would decide
    "HOLDFAST_DEADLINE_DEADLINE_MS": "3600000",
    "HOLDFAST_DEADLINE_LAG_ENTER": "100000000",
    "HOLDFAST_SCORER_BUDGET_MS": "1000",
    "HOLDFAST_SCORER_HUNG_AFTER_MS": "5000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Of one worker. Microseconds are of processor time, for each transaction."""

    transactions: int
    cards: int
    partitions: int
    per_second: float
    worker_us: float
    scorer_us: float
    broker_us: float
    worker_mb: int  # resident, in units of 10^6
    by_model: float  # share
    decision_bytes: int  # mean
    machine: str


def main(
    payments: Annotated[int, typer.Option(min=10_000)] = 200_000,
    cards: Annotated[int, typer.Option(min=100)] = 20_000,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Of the topics: the lanes of the worker.")] = 8,
    batch: Annotated[int, typer.Option(min=1, max=2000, help="Transactions in a Kafka transaction, at most.")] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Measure how many transactions a second one worker decides."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as scratch:
        found = _measure(Path(scratch), payments, cards, partitions, batch)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    table = Table(title="One worker", show_header=False)
    for name, value in asdict(found).items():
        table.add_row(name, value if isinstance(value, str) else f"{value:,.3f}".rstrip("0").rstrip("."))
    Console().print(table)


def _measure(home: Path, payments: int, cards: int, partitions: int, batch: int) -> Throughput:
    warm_up = learnt_from_simulation(TrafficPolicy(seed=99), WARM_UP_PAYMENTS)
    pin(psutil.Process(), BROKER_CORE)
    with EmbeddedKafka(home / "kafka") as kafka:
        environment = (
            os.environ
            | LIFTED
            | {
                "HOLDFAST_BROKER": kafka.bootstrap,
                "HOLDFAST_TOPICS_PARTITIONS": str(partitions),
                "HOLDFAST_METRICS_WORKER_PORT": "0",
                "HOLDFAST_LANES_MAX_BATCH": str(batch),
            }
        )
        settings = load_settings(None, environment)
        asyncio.run(create_topics(settings))
        asyncio.run(hand_over(settings, warm_up, now=datetime.now(UTC).timestamp()))
        _fill(settings, payments, cards)
        broker = psutil.Process(kafka.pid)
        with running_worker(environment, home / "worker.log") as worker:
            pin(worker, CLIENT_CORE)
            with Spending(worker, broker) as spending:
                decided = _decided(settings, payments)
            resident = worker.memory_info().rss
    at = np.sort([each for each, _, _ in decided])
    begin, end = float(at[int(len(at) * MEASURED_FROM)]), float(at[-1])
    measured = len(at) - int(len(at) * MEASURED_FROM)
    worker_s, scorer_s, broker_s = spending.between(begin, end)
    return Throughput(
        transactions=payments,
        cards=cards,
        partitions=partitions,
        per_second=measured / (end - begin),
        worker_us=worker_s / measured * 1e6,
        scorer_us=scorer_s / measured * 1e6,
        broker_us=broker_s / measured * 1e6,
        worker_mb=round(resident / 1e6),
        by_model=sum(source == "model" for _, source, _ in decided) / len(decided),
        decision_bytes=round(sum(size for _, _, size in decided) / len(decided)),
        machine=cores_and_processor(),
    )


def _fill(settings: Settings, payments: int, cards: int) -> None:
    producer = Producer(
        {"bootstrap.servers": settings.broker.bootstrap_servers, "partitioner": "murmur2_random", "linger.ms": 20}
    )
    topic = name_of(Topic.TRANSACTIONS, settings.topics)
    for made in islice(traffic(TrafficPolicy(seed=3, cards=cards)), payments):
        while True:
            try:
                producer.produce(topic, write_transaction(made.transaction), made.transaction.pan_token.encode())
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(PATIENCE_SECONDS):
        raise SystemExit("the broker did not take all payments")


def _decided(settings: Settings, payments: int) -> list[tuple[float, str, int]]:
    """The worker's time, source and size of every decision, read committed, once there are so many."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.broker.bootstrap_servers,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )
    names = [name_of(topic, settings.topics) for topic in DECISIONS.values()]
    consumer.assign([TopicPartition(name, each, 0) for name in names for each in range(settings.topics.partitions)])
    found: list[tuple[float, str, int]] = []
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while len(found) < payments:
        if time.monotonic() > give_up_at:
            raise SystemExit(f"{len(found):,} of {payments:,} decided")
        for message in consumer.consume(1_000, 0.2):
            value = message.value() or b""
            decision = orjson.loads(value)
            decided_at = datetime.fromisoformat(decision["decided_at"]).timestamp()
            found.append((decided_at, decision["decision_source"], len(value)))
    consumer.close()
    return found


if __name__ == "__main__":
    typer.run(main)
