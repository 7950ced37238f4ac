"""How many transactions a second workers decide, with everything on, and what each costs in processor time.

    python -m bench.throughput --payments 200000

Payments wait on the topic when the worker starts. Deadlines and bounds of the lag are lifted, or it would go by rules;
all else is as in production: features, model in the scorer, rules, contributions, three topics, profile changelog,
exactly once. Workers and scorers have one processor, the broker and the reader of decisions the other, where there are
two. Between the first tenth of the decisions and the last, by the worker's own timestamps.
"""

import json
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
import orjson
import typer
from confluent_kafka import Consumer, TopicPartition
from msgspec import structs
from rich.console import Console
from rich.table import Table

from bench.changelog import Changelog, token, write
from bench.filling import fill
from bench.installation import Installation, installation
from bench.processes import running
from bench.spending import BROKER_CORE, Spending, pin
from models.simulator.policy import TrafficPolicy
from models.simulator.traffic import traffic
from streams.broker.topics import Topic, name_of
from streams.operating.machine import cores_and_processor
from streams.wire.codec import write_transaction

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
    """Of all workers. Microseconds are of processor time, for each transaction."""

    transactions: int
    workers: int
    cards: int
    known_cards: int  # whose profiles were there before
    partitions: int
    console: bool
    per_second: float
    worker_us: float
    scorer_us: float
    broker_us: float
    worker_mb: int  # resident, in units of 10^6
    by_model: float  # share
    decision_bytes: int  # mean
    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What waits, and for whom."""

    payments: int
    cards: int = 20_000
    known_cards: int = 0
    workers: int = 1
    partitions: int = 8
    batch: int = 1000
    console: bool = False


def main(
    payments: Annotated[int, typer.Option(min=10_000)] = 200_000,
    cards: Annotated[int, typer.Option(min=100, help="That pay, as simulated.")] = 20_000,
    known_cards: Annotated[
        int, typer.Option(min=0, help="Of so many cards with a history each payment is made by any; in their place.")
    ] = 0,
    workers: Annotated[int, typer.Option(min=1, max=8, help="On one core together.")] = 1,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Of the topics: the lanes of the workers.")] = 8,
    batch: Annotated[int, typer.Option(min=1, max=5000, help="Transactions in a Kafka transaction, at most.")] = 1000,
    *,
    console: Annotated[bool, typer.Option("--console", help="With the console reading what they decide.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure how many transactions a second workers decide."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as scratch:
        load = Load(
            payments=payments,
            cards=cards,
            known_cards=known_cards,
            workers=workers,
            partitions=partitions,
            batch=batch,
            console=console,
        )
        found = measure(Path(scratch), load)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    table = Table(title=f"{workers} worker{'s' * (workers > 1)}", show_header=False)
    for name, value in asdict(found).items():
        told = str(value) if isinstance(value, str | bool) else f"{value:,.3f}".rstrip("0").rstrip(".")
        table.add_row(name, told)
    Console().print(table)


def measure(home: Path, load: Load) -> Throughput:
    """On a broker of its own, with its files in `home`."""
    told = {
        **LIFTED,
        "HOLDFAST_LANES_MAX_BATCH": str(load.batch),
        "HOLDFAST_CONSOLE_STORE_URL": f"sqlite:///{home}/reviews.db",
        "HOLDFAST_CONSOLE_PORT": "0",
    }
    with installation(home, told, partitions=load.partitions) as ours, ExitStack() as opened:
        settings = ours.settings
        if load.known_cards:
            profiles = name_of(Topic.PROFILES, settings.topics)
            write(settings.broker.bootstrap_servers, profiles, Changelog(cards=load.known_cards))
        fill(settings, _payments(load))
        if load.console:
            reading = opened.enter_context(running(("console",), ours.environment, home / "console.log"))
            pin(reading, BROKER_CORE)
        workers = [opened.enter_context(ours.worker(f"worker-{each}")) for each in range(1, load.workers + 1)]
        with Spending(workers, ours.broker) as spending:
            decided = _decided(ours, load.payments)
        resident = sum(each.memory_info().rss for each in workers)
    at = np.sort([each for each, _, _ in decided])
    begin, end = float(at[int(len(at) * MEASURED_FROM)]), float(at[-1])
    measured = len(at) - int(len(at) * MEASURED_FROM)
    worker_s, scorer_s, broker_s = spending.between(begin, end)
    return Throughput(
        transactions=load.payments,
        workers=load.workers,
        cards=load.cards,
        known_cards=load.known_cards,
        partitions=load.partitions,
        console=load.console,
        per_second=measured / (end - begin),
        worker_us=worker_s / measured * 1e6,
        scorer_us=scorer_s / measured * 1e6,
        broker_us=broker_s / measured * 1e6,
        worker_mb=round(resident / 1e6),
        by_model=sum(source == "model" for _, source, _ in decided) / len(decided),
        decision_bytes=round(sum(size for _, _, size in decided) / len(decided)),
        machine=cores_and_processor(),
    )


def _payments(load: Load) -> Iterator[tuple[bytes, bytes]]:
    chance = random.Random(3)  # noqa: S311 - a simulation
    for made in islice(traffic(TrafficPolicy(seed=3, cards=load.cards)), load.payments):
        paid = made.transaction
        if load.known_cards:
            paid = structs.replace(paid, pan_token=token(chance.randrange(load.known_cards)).decode())
        yield paid.pan_token.encode(), write_transaction(paid)


def _decided(ours: Installation, payments: int) -> list[tuple[float, str, int]]:
    """The worker's time, source and size of every decision, read committed, once there are so many."""
    consumer = Consumer(
        {
            "bootstrap.servers": ours.settings.broker.bootstrap_servers,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )
    partitions = range(ours.settings.topics.partitions)
    consumer.assign([TopicPartition(name, each, 0) for name in ours.decisions for each in partitions])
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
