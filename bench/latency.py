"""Age at decision at steady rates, and of one payment at a time: from `produce` to its read-committed receipt.

    python -m bench.latency --rate 2000 --rate 500 --alone

Worker and scorer have one processor; the broker, the sender and the reader the other, where there are two. The broker's
Java compiles itself for more than a minute, hence the time to settle before the first rate, and the lead of each.
"""

import gc
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer
from rich.console import Console
from rich.table import Table

from bench.ages import AS_IN_PRODUCTION, WARM_SECONDS, WARMING_RATE, Heard, Paid, Reader, Sender, simulated
from bench.installation import Installation, installation
from bench.spending import Spending
from streams.operating.machine import cores_and_processor

ALONE = 200  # payments, each sent when the one before was decided
LEAD_SECONDS = 15.0  # Java compiles for a rate what it did not need for the one before
MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, as Linux has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """Milliseconds; `rate` is 0 for one payment at a time. Microseconds are of processor time, for each payment."""

    rate: float
    decisions: int
    undecided: int
    by_model: float  # share
    p50: float
    p99: float
    p999: float
    largest: float
    on_topic_p99: float  # up to the broker's timestamp: what a payment waits before it is on its topic
    decided_p50: float  # up to the decision; the rest is its commit and its way to the reader
    worker_us: float
    broker_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Payments a second, and for how long; what they may linger, milliseconds."""

    rates: Sequence[float]
    settle: float
    lead: float
    seconds: float
    linger: float
    alone: bool

    @property
    def payments(self) -> int:
        return round(self.settle * WARMING_RATE + sum(self.rates) * (self.lead + self.seconds)) + ALONE + 1_000


def main(
    *,
    rate: Annotated[list[float] | None, typer.Option(min=1, help="Payments a second; may be given again.")] = None,
    alone: Annotated[bool, typer.Option(help="One payment at a time, too.")] = True,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Of the topics: the lanes of the worker.")] = 8,
    settle: Annotated[
        float, typer.Option(min=0, max=600, help="Seconds at 2,000 a second, before anything is measured.")
    ] = WARM_SECONDS,
    lead: Annotated[
        float, typer.Option(min=0, max=600, help="Seconds of each rate that are not measured.")
    ] = LEAD_SECONDS,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Seconds of each rate that are.")] = 25.0,
    linger: Annotated[
        float, typer.Option(min=0, max=100, help="Milliseconds that the sender waits for more to send at once.")
    ] = 0.0,
    in_memory: Annotated[
        bool, typer.Option("--in-memory", help="The broker's files in memory: what a disk adds is the difference.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure ages at decision."""
    if in_memory and not MEMORY.is_dir():
        raise typer.BadParameter(f"there is no {MEMORY} here", param_hint="--in-memory")
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-", dir=MEMORY if in_memory else None) as scratch:
        plan = _Plan(rates=rate or [2_000.0], settle=settle, lead=lead, seconds=seconds, linger=linger, alone=alone)
        ages = _measure(Path(scratch), plan, partitions)
    if as_json:
        files = "memory" if in_memory else "disk"
        told = {"machine": cores_and_processor(), "files": files, "lead_seconds": lead, "linger_ms": linger}
        typer.echo(json.dumps(told | {"ages": [asdict(each) for each in ages]}))
        return
    table = Table(
        "a second", "p50 ms", "p99", "p99.9", "largest", "on topic p99", "decided p50", "by model", "us", "broker us"
    )
    for each in ages:
        table.add_row(
            f"{each.rate:,.0f}" if each.rate else "alone",
            *(f"{age:.1f}" for age in (each.p50, each.p99, each.p999, each.largest)),
            *(f"{age:.1f}" for age in (each.on_topic_p99, each.decided_p50)),
            f"{each.by_model:.1%}",
            f"{each.worker_us:.0f}",
            f"{each.broker_us:.0f}",
        )
    Console(width=120).print(table)
    typer.echo(f"{partitions} partitions, {cores_and_processor()}")


def _measure(home: Path, plan: _Plan, partitions: int) -> list[Ages]:
    waiting = simulated(plan.payments)
    with (
        installation(home, {}, partitions=partitions, options=AS_IN_PRODUCTION) as ours,
        ours.worker() as worker,
        ours.reader() as reader,
    ):
        gc.freeze()  # no look through what there is now is to be part of an age
        sender = ours.sender(plan.linger)
        sender.alone(reader, waiting.pop())  # the worker is there
        with reader.forgetting():
            sender.pay(waiting, WARMING_RATE, plan.settle)
        measured = [_one_by_one(ours, worker, sender, reader, waiting)] if plan.alone else []
        for rate in plan.rates:
            with reader.forgetting():
                sender.pay(waiting, rate, plan.lead)
            with Spending([worker], ours.broker) as spending:
                began = time.time()
                sent = sender.pay(waiting, rate, plan.seconds)
                spent = spending.between(began, time.time() - 0.1)
            measured.append(_ages(rate, sent, reader.received(sent), spent))
    return measured


def _one_by_one(
    ours: Installation, worker: psutil.Process, sender: Sender, reader: Reader, waiting: list[Paid]
) -> Ages:
    sent: dict[str, float] = {}
    with Spending([worker], ours.broker) as spending:
        began = time.time()
        for _ in range(ALONE):
            sent |= sender.alone(reader, waiting.pop())
        spent = spending.between(began, time.time() - 0.1)
    return _ages(0.0, sent, reader.received(sent), spent)


def _ages(
    rate: float, sent: dict[str, float], received: dict[str, list[Heard]], spent: tuple[float, float, float]
) -> Ages:
    found = [(heard[0], sent[each]) for each, heard in received.items()]
    ages = np.array([each.at - at for each, at in found]) * 1000
    on_topic, decided = (
        np.array([datetime.fromisoformat(each.decision[name]).timestamp() - at for each, at in found]) * 1000
        for name in ("received_at", "decided_at")
    )
    p50, p99, p999 = np.percentile(ages, (50, 99, 99.9)).tolist()
    worker, scorer, broker = spent
    return Ages(
        rate=rate,
        decisions=len(found),
        undecided=len(sent) - len(found),
        by_model=sum(each.decision["decision_source"] == "model" for each, _ in found) / len(found),
        p50=p50,
        p99=p99,
        p999=p999,
        largest=float(ages.max()),
        on_topic_p99=float(np.percentile(on_topic, 99)),
        decided_p50=float(np.median(decided)),
        worker_us=(worker + scorer) / len(found) * 1e6,
        broker_us=broker / len(found) * 1e6,
    )


if __name__ == "__main__":
    typer.run(main)
