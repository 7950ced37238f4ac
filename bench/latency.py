"""Age at decision at steady rates, and of one payment at a time: from `produce` to its read-committed receipt.

    python -m bench.latency --rate 2000 --rate 500 --alone
    python -m bench.latency --share 0.5 --turns 5 --lead 150

A share is of the most that the whole path decides, as `bench.throughput` finds it just before, three times: a machine
that others share is not as fast on each day.

Worker and scorer have one processor; the broker, the sender and the reader the other, where there are two. The broker's
Java compiles itself there for minutes, in calls of up to a second, and whatever it serves waits: hence the time to
settle before the first rate, the lead of each, several turns of which the median counts, and a column that says how
much of its core Java's compilers took in them.
"""

import json
import math
import tempfile
import time
from collections import ChainMap
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bench.ages import AS_IN_PRODUCTION, WARM_SECONDS, WARMING_RATE, Heard, Paid, Supply
from bench.installation import installation
from bench.spending import Spending, compiling_seconds
from bench.throughput import Load, measure
from streams.operating.machine import cores_and_processor

TRIALS, TRIED = 3, 120_000  # payments, whose rate is the most
ALONE = 200  # payments, each sent when the one before was decided
LEAD_SECONDS = 15.0  # Java compiles for a rate what it did not need for the one before


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """Milliseconds, of one turn. Microseconds are of processor time, for each payment."""

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
    compiling: float  # share of a core that the compilers of the broker's Java took meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Turns at one rate, payments a second; 0 for one payment at a time. `share` of the most, where that was asked."""

    rate: float
    share: float | None
    turns: list[Ages]

    def middle(self, name: str) -> float:
        """The median of one figure."""
        return float(median(getattr(each, name) for each in self.turns))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Payments a second, and which share of the most they are; for how long; what they may linger, milliseconds."""

    rates: Sequence[tuple[float, float | None]]
    settle: float
    lead: float
    seconds: float
    turns: int
    linger: float
    alone: bool


def main(
    *,
    rate: Annotated[list[float] | None, typer.Option(min=1, help="Payments a second; may be given again.")] = None,
    share: Annotated[
        list[float] | None, typer.Option(min=0.01, max=1.0, help="Of the most that are decided, in its place.")
    ] = None,
    alone: Annotated[bool, typer.Option(help="One payment at a time, too.")] = True,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Of the topics: the lanes of the worker.")] = 8,
    settle: Annotated[
        float, typer.Option(min=0, max=600, help="Seconds at 2,000 a second, before anything is measured.")
    ] = WARM_SECONDS,
    lead: Annotated[
        float, typer.Option(min=0, max=600, help="Seconds of each rate that are not measured.")
    ] = LEAD_SECONDS,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Seconds of each turn that are.")] = 25.0,
    turns: Annotated[int, typer.Option(min=1, max=20, help="Turns at each rate.")] = 1,
    linger: Annotated[
        float, typer.Option(min=0, max=100, help="Milliseconds that the sender waits for more to send at once.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure ages at decision."""
    most = _most(partitions) if share else None
    rates = [(each, None) for each in rate or ([] if share else [2_000.0])]
    plan = _Plan(
        rates=[*rates, *((round(each * (most or 0.0), -2), each) for each in share or [])],
        settle=settle,
        lead=lead,
        seconds=seconds,
        turns=turns,
        linger=linger,
        alone=alone,
    )
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as scratch:
        measured = _measure(Path(scratch), plan, partitions)
    if as_json:
        told = {"machine": cores_and_processor(), "most": most, "lead_seconds": lead, "linger_ms": linger}
        typer.echo(json.dumps(told | {"ages": [asdict(each) for each in measured]}))
        return
    names = ("p50", "p99", "p999", "largest", "on_topic_p99", "decided_p50", "worker_us", "broker_us")
    table = Table("a second", "turns", *(name.replace("_", " ") for name in names), "by model", "compiling")
    for each in measured:
        figures = (f"{each.middle(name):.1f}" for name in names)
        shares = (f"{each.middle(name):.1%}" for name in ("by_model", "compiling"))
        table.add_row(f"{each.rate:,.0f}" if each.rate else "alone", str(len(each.turns)), *figures, *shares)
    Console(width=120).print(table)
    typer.echo(f"{partitions} partitions, {cores_and_processor()}")


def _most(partitions: int) -> float:
    """Payments a second that the whole path decides."""
    found = []
    for _ in range(TRIALS):
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as scratch:
            found.append(measure(Path(scratch), Load(payments=TRIED, partitions=partitions)).per_second)
    return float(median(found))


def _measure(home: Path, plan: _Plan, partitions: int) -> list[Turns]:
    supply = Supply()
    with (
        installation(home, {}, partitions=partitions, options=AS_IN_PRODUCTION) as ours,
        ours.worker() as worker,
        ours.reader() as reader,
    ):
        sender = ours.sender(plan.linger)

        def lead(rate: float, seconds: float) -> None:
            with reader.forgetting():
                for piece in _pieces(seconds, plan.seconds):
                    sender.pay(supply.take(_payments(rate, piece)), rate, piece)

        def turn(pay: Callable[[list[Paid]], dict[str, float]], payments: int) -> Ages:
            waiting, compiled = supply.take(payments), compiling_seconds(ours.broker)
            with Spending([worker], ours.broker) as spending:
                began = time.time()
                sent = pay(waiting)
                ended = time.time()
                spent = spending.between(began, ended - 0.1)
            compiling = (compiling_seconds(ours.broker) - compiled) / (ended - began)
            return _ages(sent, reader.received(sent), spent, compiling)

        def alone(waiting: list[Paid]) -> dict[str, float]:
            return dict(ChainMap(*(sender.alone(reader, each) for each in waiting)))

        sender.alone(reader, supply.take(1)[0])  # the worker is there
        lead(WARMING_RATE, plan.settle)
        measured = [Turns(rate=0.0, share=None, turns=[turn(alone, ALONE)])] if plan.alone else []
        for rate, share in plan.rates:
            lead(rate, plan.lead)
            pay = partial(sender.pay, rate=rate, seconds=plan.seconds)
            turns = [turn(pay, _payments(rate, plan.seconds)) for _ in range(plan.turns)]
            measured.append(Turns(rate=rate, share=share, turns=turns))
    return measured


def _payments(rate: float, seconds: float) -> int:
    return math.ceil(rate * seconds)


def _pieces(seconds: float, most: float) -> list[float]:
    """A time in parts: between them payments are made, so that few are kept."""
    return [min(most, seconds - begun) for begun in np.arange(0.0, seconds, most).tolist()]


def _ages(
    sent: dict[str, float],
    received: dict[str, list[Heard]],
    spent: tuple[float, float, float],
    compiling: float,
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
        compiling=compiling,
    )


if __name__ == "__main__":
    typer.run(main)
