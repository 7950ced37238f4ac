"""How old payments are when engines decide them at a steady rate, and how long they are away after `kill -9`.

    python -m bench.peers.ages --rate 2000 --kills 3

The common work again, on one broker, one candidate after the other, once its Java is warm. An age is from `produce` to
the decision in the hands of a reader of committed records. A kill is of the only process, which is started again at
once: the time to the first decision on a payment sent after it, and to the first on the last partition.
"""

import asyncio
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple

import numpy as np
import psutil
import typer
from rich.console import Console
from rich.table import Table

from bench.ages import AS_IN_PRODUCTION, WARM_SECONDS, WARMING_RATE, Heard, Reader, decided_alone
from bench.peers.__main__ import candidates
from bench.peers.measuring import PARTITIONS, Candidate, environment_of, place_of, start, stop
from bench.peers.payments import Payment, payments
from bench.sending import Paid, Sender
from bench.spending import BROKER_CORE, pin
from streams.broker.embedded import EmbeddedKafka
from streams.broker.topic_admin import create_topics
from streams.operating.machine import cores_and_processor
from streams.settings import load_settings

AFTER_KILL_RATE, AFTER_KILL_SECONDS, KILL_AFTER_SECONDS = 300.0, 15.0, 2.0
START_SECONDS = 60.0
MADE = 50_000  # payments; they come again with other ids
RESTORES = ("holdfast", "quixstreams")  # bare loops restore nothing, so that it would say nothing to kill them


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """Milliseconds at the rate, and seconds after each kill."""

    name: str
    title: str
    promise: str
    decisions: int
    p50: float
    p99: float
    largest: float
    first: list[float]  # to the first decision on a payment sent after the kill
    all_: list[float]  # to the first such on the last partition
    missing: int
    twice: int


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Candidates; all that work by default.")] = None,
    *,
    rate: Annotated[float, typer.Option(min=1, help="Payments a second.")] = 2_000.0,
    settle: Annotated[float, typer.Option(min=0, max=600, help="Seconds at the rate before they count.")] = 25.0,
    seconds: Annotated[float, typer.Option(min=1, max=600)] = 20.0,
    kills: Annotated[int, typer.Option(min=0, max=20, help="Of those that restore what they know.")] = 3,
    peers_python: Annotated[Path | None, typer.Option(help="Python of an environment with quixstreams.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure the ages of engines."""
    known = {name: each for name, each in candidates(peers_python).items() if each.does_work}
    if unknown := sorted(set(names or ()) - set(known)):
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = [known[each] for each in names or known]
    console = Console(stderr=as_json, highlight=False)
    aged = _measured(chosen, _Load(rate, settle, seconds), kills, console)
    if as_json:
        told = {"machine": cores_and_processor(), "rate": rate}
        typer.echo(json.dumps(told | {"ages": [asdict(each) for each in aged]}))
        return
    table = Table("", "promise", "p50 ms", "p99", "largest", "after a kill, s", "last partition", "missing/twice")
    for each in aged:
        away = [f"{median(took):.1f}" if took else "-" for took in (each.first, each.all_)]
        ages = (f"{age:.1f}" for age in (each.p50, each.p99, each.largest))
        table.add_row(each.title, each.promise, *ages, *away, f"{each.missing}/{each.twice}")
    console.print(table)


class _Load(NamedTuple):
    """Payments a second, and seconds of them before they count and then."""

    rate: float
    settle: float
    seconds: float


def _measured(chosen: Sequence[Candidate], load: _Load, kills: int, console: Console) -> list[Aged]:
    made = list(payments(MADE))
    pin(psutil.Process(), BROKER_CORE)
    aged = []
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-ages-") as home,
        EmbeddedKafka(Path(home) / "kafka", AS_IN_PRODUCTION) as kafka,
    ):
        needed = round(load.rate * (load.settle + load.seconds) + kills * AFTER_KILL_RATE * AFTER_KILL_SECONDS) + 2_000
        warming, warm = _Load(WARMING_RATE, WARM_SECONDS, 1.0), round(WARMING_RATE * (WARM_SECONDS + 2.0))
        _one(kafka, replace(chosen[0], name=f"{chosen[0].name}-warming"), _waiting(made, warm), warming, 0)
        for each in chosen:
            aged.append(_one(kafka, each, _waiting(made, needed), load, kills if each.name in RESTORES else 0))
            console.print(f"{each.title:32} {aged[-1].p50:7.1f} ms")
    return aged


def _waiting(made: Sequence[Payment], count: int) -> list[Paid]:
    return [
        Paid(f"{number}", made[number % MADE].key, _numbered(made[number % MADE].value, number))
        for number in range(count)
    ]


def _numbered(value: bytes, number: int) -> bytes:
    """The payment with this for its id."""
    before, mark, rest = value.partition(b'"transaction_id":"')
    return before + mark + b"%d" % number + rest[rest.index(b'"') :]


def _one(
    kafka: EmbeddedKafka,
    candidate: Candidate,
    waiting: list[Paid],
    load: _Load,
    kills: int,
) -> Aged:
    environment = environment_of(kafka, f"ages-{candidate.name}")
    settings = load_settings(None, environment)
    asyncio.run(create_topics(settings))
    most = round(2 * max(load.rate * load.seconds, AFTER_KILL_RATE * AFTER_KILL_SECONDS))  # some decide twice
    with tempfile.TemporaryDirectory(prefix="holdfast-peer-") as home:
        place = place_of(settings, candidate, f"ages-{candidate.name}", home)
        told, log = {**environment, **place.environment()}, Path(home) / "log"
        running = [start(candidate, told, log)]
        try:
            with Reader(kafka.bootstrap, place.decisions, PARTITIONS, most) as reader:
                sender = Sender(kafka.bootstrap, place.input, PARTITIONS)
                decided_alone(sender, reader, waiting.pop(), START_SECONDS)
                first, then = (sender.ready(waiting, load.rate, each) for each in (load.settle, load.seconds))
                with reader.forgetting():
                    sender.pay(first)
                sent = sender.pay(then)
                received = reader.received(sent)
                ages = np.array([heard[0].at - sent[each] for each, heard in received.items()]) * 1000
                after = [_killed(candidate, told, log, running, sender, reader, waiting) for _ in range(kills)]
        finally:
            stop(running[-1])
    p50, p99 = np.percentile(ages, (50, 99)).tolist()
    return Aged(
        name=candidate.name,
        title=candidate.title,
        promise=candidate.promise,
        decisions=len(ages),
        p50=p50,
        p99=p99,
        largest=float(ages.max()),
        first=[each.first for each in after],
        all_=[each.all_ for each in after],
        missing=len(sent) - len(received) + sum(each.missing for each in after),
        twice=_twice(received) + sum(each.twice for each in after),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _After:
    first: float
    all_: float
    missing: int
    twice: int


def _killed(
    candidate: Candidate,
    told: dict[str, str],
    log: Path,
    running: list["subprocess.Popen[bytes]"],
    sender: Sender,
    reader: Reader,
    waiting: list[Paid],
) -> _After:
    killed_at = []

    def kill() -> None:
        time.sleep(KILL_AFTER_SECONDS)
        running[-1].kill()
        running[-1].wait()
        killed_at.append(time.time())
        running.append(start(candidate, told, log))

    requests = sender.ready(waiting, AFTER_KILL_RATE, AFTER_KILL_SECONDS)
    killer = threading.Thread(target=kill)
    killer.start()
    sent = sender.pay(requests)
    killer.join()
    received = reader.received(sent, START_SECONDS + AFTER_KILL_SECONDS)
    [kill_at] = killed_at
    first: dict[int, float] = {}
    for each, heard in received.items():
        if sent[each] > kill_at:
            first[heard[0].partition] = min(heard[0].at - kill_at, first.get(heard[0].partition, np.inf))
    return _After(
        first=round(min(first.values()), 3),
        all_=round(max(first.values()), 3),
        missing=len(sent) - len(received),
        twice=_twice(received),
    )


def _twice(received: dict[str, list[Heard]]) -> int:
    return sum(len(heard) - 1 for heard in received.values())


if __name__ == "__main__":
    typer.run(main)
