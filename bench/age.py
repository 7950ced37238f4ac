"""Age at decision under a steady load: from the broker's timestamp of a transaction to its read-committed receipt.

    python -m bench.age --rate 1000

Everything runs on this machine: embedded Kafka, one worker with a model learnt beforehand, the learner, the sender, and
this reader. A Kafka transaction writes its end to each partition that it touched: on two cores, two partitions are
enough for the rate and cost the broker least. The broker's Java compiles itself for a minute before it is as fast as it
gets, hence the time to settle.
"""

import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import orjson
import typer
from rich.console import Console
from rich.table import Table

from bench.installation import WARM_UP_PAYMENTS
from models.simulator.policy import TrafficPolicy
from streams.broker.clients import reader
from streams.broker.embedded import EmbeddedKafka
from streams.broker.reading import begin_at, partitions_of
from streams.broker.topic_admin import create_topics
from streams.broker.topics import DECISIONS
from streams.operating.installation import Plan, running
from streams.operating.warming import hand_over, learnt_from_simulation
from streams.settings import Settings, load_settings

POLL_MS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """Milliseconds, of decisions received in the measured stretch."""

    rate: float
    partitions: int
    decisions: int
    by_model: float  # share
    p50: float
    p99: float
    p999: float
    largest: float
    machine: str
    cores: int


def main(
    rate: Annotated[float, typer.Option(min=1, help="Transactions a second.")] = 1000.0,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Of the topics: the lanes of the worker.")] = 2,
    settle: Annotated[float, typer.Option(min=0, max=600, help="Seconds before measuring.")] = 75.0,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Seconds measured.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Measure age at decision at RATE transactions a second, one worker, exactly once, model in the scorer."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as scratch:
        ages = asyncio.run(_measure(Path(scratch), rate, partitions, settle, seconds))
    if as_json:
        typer.echo(json.dumps(asdict(ages)))
        return
    table = Table(title=f"Age at decision, {rate:,.0f} transactions a second", show_header=False)
    for name, value in asdict(ages).items():
        table.add_row(
            name, f"{value:,.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
        )
    Console().print(table)


async def _measure(home: Path, rate: float, partitions: int, settle: float, seconds: float) -> Ages:
    warm_up = await asyncio.to_thread(learnt_from_simulation, TrafficPolicy(seed=99), WARM_UP_PAYMENTS)
    async with EmbeddedKafka(home / "kafka") as broker:
        environment = dict(os.environ) | {
            "HOLDFAST_BROKER": broker.bootstrap,
            "HOLDFAST_TOPICS_PARTITIONS": str(partitions),
        }
        settings = load_settings(None, environment)
        await create_topics(settings)
        await hand_over(settings, warm_up, now=datetime.now(UTC).timestamp())
        plan = Plan(home=home, environment=environment, own_kafka=False)
        async with running(plan, lambda _part, _what: None):
            sender = await _send(environment, rate, settle + seconds + 2.0)
            received = await _received(settings, time.monotonic() + settle, seconds)
            if await sender.wait():
                raise SystemExit("the sender failed")
    milliseconds = np.array([age for age, _ in received]) * 1000
    p50, p99, p999 = np.percentile(milliseconds, (50, 99, 99.9)).tolist()
    return Ages(
        rate=rate,
        partitions=partitions,
        decisions=len(received),
        by_model=sum(source == "model" for _, source in received) / len(received),
        p50=p50,
        p99=p99,
        p999=p999,
        largest=float(milliseconds.max()),
        machine=platform.processor() or platform.machine(),
        cores=os.cpu_count() or 0,
    )


async def _send(environment: dict[str, str], rate: float, seconds: float) -> Process:
    """Pay from a process of its own: what reads must not be late because something else sends."""
    command = ("simulate", "--rate", str(rate), "--seconds", str(seconds), "--no-react", "--json")
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streams.operating.cli", *command, env=environment, stdout=DEVNULL
    )


async def _received(settings: Settings, begin: float, seconds: float) -> list[tuple[float, str]]:
    """Age in seconds and decision source of what is received in the stretch that starts at `begin` (monotonic)."""
    consumer = reader(settings.broker, fetch_max_wait_ms=POLL_MS)
    await consumer.start()
    received = []
    try:
        begin_at(consumer, await consumer.end_offsets(partitions_of(settings, DECISIONS.values())))
        while (now := time.monotonic()) < begin + seconds:
            polled = await consumer.getmany(timeout_ms=POLL_MS)
            at = time.time()
            if now < begin:
                continue
            for records in polled.values():
                for record in records:
                    decision = orjson.loads(record.value)
                    sent = datetime.fromisoformat(decision["received_at"]).timestamp()
                    received.append((at - sent, decision["decision_source"]))
    finally:
        await consumer.stop()
    return received


if __name__ == "__main__":
    typer.run(main)
