"""Age at decision at steady rates, and of one payment at a time: from when it is due to its read-committed receipt.

    python -m bench.latency --rate 2000 --rate 500 --alone
    python -m bench.latency --share 0.5 --turns 5 --lead 150

A share is of the most that the whole path decides, as `bench.throughput` finds it just before, three times: a machine
that others share is not as fast on each day.

Worker and scorer have one processor; the broker, the sender and the reader the other, where there are two. The broker's
Java compiles itself there for minutes, in calls of up to a second, and whatever it serves waits: hence the time to
settle before the first rate, the lead of each, several turns of which the median counts, and a column that says how
much of its core Java's compilers took in them.
"""

import gc
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
import psutil
import typer
from rich.console import Console
from rich.table import Table

from bench.ages import AS_IN_PRODUCTION, WARM_SECONDS, WARMING_RATE, Heard, Reader, Supply, decided_alone
from bench.installation import installation
from bench.sending import Paid, Sender
from bench.spending import LOOK_SECONDS, Spending, compiling_seconds
from bench.throughput import Load, measure
from streams.operating.machine import cores_and_processor

TRIALS, TRIED = 3, 120_000  # payments, whose rate is the most
SPARE = 100  # payments, as each turn may send one more
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
class _Turn:
    """When each of its payments was sent, by id, and from when to when it went on: seconds since 1970."""

    sent: dict[str, float]
    began: float
    ended: float
    compiling: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Payments a second, and which share of the most they are; for how long."""

    rates: Sequence[tuple[float, float | None]]
    settle: float
    lead: float
    seconds: float
    turns: int
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
        alone=alone,
    )
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as scratch:
        measured = _measure(Path(scratch), plan, partitions)
    if as_json:
        told = {"machine": cores_and_processor(), "most": most, "lead_seconds": lead}
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
        ours.reader(_kept(plan)) as reader,
    ):
        sender = ours.sender()

        decided_alone(sender, reader, supply.take(1)[0])  # the worker is there
        waiting = supply.take(_payments(WARMING_RATE, plan.settle))
        requests = sender.ready(waiting, WARMING_RATE, plan.settle)
        with reader.forgetting():
            sender.pay(requests)

        def turns(*pay: Callable[[], dict[str, float]]) -> list[Ages]:
            with Spending([worker], ours.broker) as spending:
                paid = [_turn(each, ours.broker) for each in pay]
                time.sleep(LOOK_SECONDS * 2)
            received = reader.received(dict(ChainMap(*(each.sent for each in paid))))
            return [_ages(each, received, spending.between(each.began, each.ended)) for each in paid]

        measured = []
        if plan.alone:
            waiting = supply.take(ALONE)
            measured.append(Turns(rate=0.0, share=None, turns=turns(partial(_one_by_one, sender, reader, waiting))))
        for rate, share in plan.rates:
            # One stretch without a break: what begins anew has Java compile anew, and its first second is not steady.
            waiting = supply.take(_payments(rate, plan.lead + plan.turns * plan.seconds))
            lead = sender.ready(waiting, rate, plan.lead)
            requests_of = [sender.ready(waiting, rate, plan.seconds) for _ in range(plan.turns)]
            gc.freeze()
            with reader.forgetting():
                sender.pay(lead)
            measured.append(
                Turns(rate=rate, share=share, turns=turns(*(partial(sender.pay, each) for each in requests_of)))
            )
    return measured


def _kept(plan: _Plan) -> int:
    """The most that is measured at once."""
    return max(_payments(rate, plan.seconds * plan.turns) for rate, _ in plan.rates)


def _payments(rate: float, seconds: float) -> int:
    return math.ceil(rate * seconds) + SPARE


def _one_by_one(sender: Sender, reader: Reader, waiting: list[Paid]) -> dict[str, float]:
    return dict(ChainMap(*(decided_alone(sender, reader, each) for each in waiting)))


def _turn(pay: Callable[[], dict[str, float]], broker: psutil.Process) -> _Turn:
    compiled, began = compiling_seconds(broker), time.time()
    sent = pay()
    ended = time.time()
    compiling = (compiling_seconds(broker) - compiled) / (ended - began)
    return _Turn(sent=sent, began=began, ended=ended, compiling=compiling)


def _ages(turn: _Turn, received: dict[str, list[Heard]], spent: tuple[float, float, float]) -> Ages:
    found = [(received[each][0], at) for each, at in turn.sent.items() if each in received]
    ages = np.array([each.at - at for each, at in found]) * 1000
    on_topic, decided = (
        np.array([datetime.fromisoformat(each.decision[name]).timestamp() - at for each, at in found]) * 1000
        for name in ("received_at", "decided_at")
    )
    p50, p99, p999 = np.percentile(ages, (50, 99, 99.9)).tolist()
    worker, scorer, broker = spent
    return Ages(
        decisions=len(found),
        undecided=len(turn.sent) - len(found),
        by_model=sum(each.decision["decision_source"] == "model" for each, _ in found) / len(found),
        p50=p50,
        p99=p99,
        p999=p999,
        largest=float(ages.max()),
        on_topic_p99=float(np.percentile(on_topic, 99)),
        decided_p50=float(np.median(decided)),
        worker_us=(worker + scorer) / len(found) * 1e6,
        broker_us=broker / len(found) * 1e6,
        compiling=turn.compiling,
    )


if __name__ == "__main__":
    typer.run(main)
