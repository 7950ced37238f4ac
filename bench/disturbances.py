"""Ages while workers join, are killed and leave: the whole product, one payment stream, a moment for each.

    python -m bench.disturbances --rate 500

Two workers at most, on one processor; broker, sender and reader on the other, where there are two. What is told of each
moment is of the payments sent from then on, until the next: the largest age is for how long a partition was away.
"""

import json
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer
from rich.console import Console
from rich.table import Table

from bench.ages import AS_IN_PRODUCTION, WARM_SECONDS, WARMING_RATE, Heard, Supply, decided_alone
from bench.installation import installation
from streams.operating.machine import cores_and_processor

PATIENCE_SECONDS = 30.0
ON_ITS_WAY_SECONDS = 0.5  # what was sent so shortly before a moment suffers from that, and not from the one before


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbed:
    """From one moment to the next; ages in milliseconds."""

    moment: str
    payments: int
    undecided: int
    late: int  # older than their deadline when they were decided
    by_model: float  # share
    p50: float
    p99: float
    largest: float


def main(
    *,
    rate: Annotated[float, typer.Option(min=1, max=5_000, help="Payments a second.")] = 500.0,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Of the topics: the lanes of the workers.")] = 8,
    settle: Annotated[
        float, typer.Option(min=5, max=600, help="Seconds at 2,000 a second, before the first moment.")
    ] = WARM_SECONDS,
    seconds: Annotated[float, typer.Option(min=10, max=600, help="From one moment to the next.")] = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure ages around a rebalance and a kill."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as scratch:
        disturbed = _measure(Path(scratch), rate, partitions, settle, seconds)
    if as_json:
        told = {"machine": cores_and_processor(), "rate": rate, "moments": [asdict(each) for each in disturbed]}
        typer.echo(json.dumps(told))
        return
    table = Table("", "payments", "undecided", "late", "p50 ms", "p99", "largest", "by model")
    for each in disturbed:
        ages = (f"{age:,.1f}" for age in (each.p50, each.p99, each.largest))
        counts = (f"{count:,}" for count in (each.payments, each.undecided, each.late))
        table.add_row(each.moment, *counts, *ages, f"{each.by_model:.1%}")
    Console(width=120).print(table)
    typer.echo(f"{rate:g} payments a second, {partitions} partitions, {cores_and_processor()}")


def _measure(home: Path, rate: float, partitions: int, settle: float, seconds: float) -> list[Disturbed]:
    with (
        installation(home, {}, partitions=partitions, options=AS_IN_PRODUCTION) as ours,
        ExitStack() as opened,
    ):
        workers: list[psutil.Process] = []

        def start(name: str) -> None:
            workers.append(opened.enter_context(ours.worker(name)))

        def start_again() -> None:
            workers[-1].kill()
            start("worker-2")

        start("worker-1")
        moments: list[tuple[str, Callable[[], object]]] = [
            ("one worker, calm", lambda: None),
            ("a second joins", lambda: start("worker-2")),
            ("it is killed, and starts again at once", start_again),
            ("it is killed, and stays away", lambda: workers[-1].kill()),
            ("it comes back", lambda: start("worker-2")),
            ("it is told to stop", lambda: workers[-1].terminate()),
        ]
        sent_at_most = round(rate * len(moments) * seconds) + 1_000
        waiting = Supply().take(round(WARMING_RATE * settle) + sent_at_most)
        with ours.reader(sent_at_most) as reader:
            sender = ours.sender()
            decided_alone(sender, reader, waiting.pop())  # the worker is there
            with reader.forgetting():
                sender.pay(sender.ready(waiting, WARMING_RATE, settle))
            requests = sender.ready(waiting, rate, len(moments) * seconds)
            began = [time.time() + each * seconds for each in range(len(moments) + 1)]
            acts = threading.Thread(target=_act, args=([act for _, act in moments], began))
            acts.start()
            sent = sender.pay(requests)
            acts.join()
            received = {each: heard[0] for each, heard in reader.received(sent, PATIENCE_SECONDS).items()}
    return [
        _disturbed(moment, {each: at for each, at in sent.items() if begin <= at + ON_ITS_WAY_SECONDS < end}, received)
        for (moment, _), begin, end in zip(moments, began, began[1:], strict=False)
    ]


def _disturbed(moment: str, sent: Mapping[str, float], received: Mapping[str, Heard]) -> Disturbed:
    heard = [(received[each], at) for each, at in sent.items() if each in received]
    ages = np.array([each.at - at for each, at in heard]) * 1000
    p50, p99 = np.percentile(ages, (50, 99)).tolist()
    return Disturbed(
        moment=moment,
        payments=len(sent),
        undecided=len(sent) - len(heard),
        late=sum(each.decision["deadline_missed"] for each, _ in heard),
        by_model=sum(each.decision["decision_source"] == "model" for each, _ in heard) / len(heard),
        p50=p50,
        p99=p99,
        largest=float(ages.max()),
    )


def _act(acts: Sequence[Callable[[], object]], begin: Sequence[float]) -> None:
    for act, at in zip(acts, begin, strict=False):
        time.sleep(max(at - time.time(), 0.0))
        act()


if __name__ == "__main__":
    typer.run(main)
