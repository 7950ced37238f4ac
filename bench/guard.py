"""Whether deciding has become slower: its processor time against that of a bare copy, both measured here and now.

    python -m bench.guard

Machines differ and are never quiet, so nothing is held against a clock: the whole path of a payment, and the common
work in our lanes, may each take so many times what it takes aiokafka to read a record and to write it, in transactions.
The bounds leave room for a bad day. Exits 1 where one is broken in each of the tries.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import typer

from bench.peers.__main__ import candidates
from bench.peers.measuring import expected_of, measure
from bench.peers.payments import payments
from bench.spending import BROKER_CORE, pin
from bench.throughput import Load
from bench.throughput import measure as whole_path
from streams.broker.embedded import EmbeddedKafka
from streams.operating.machine import cores_and_processor

RECORDS = 40_000
TRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What is measured, and how many times a bare copy's time it may take."""

    title: str
    most: float


BOUNDS: Mapping[str, Bound] = {
    "whole": Bound(title="the whole path, worker and scorer", most=11.0),
    "lanes": Bound(title="the common work in our lanes", most=6.5),
}


def main() -> None:
    """Measure, and compare."""
    for left in reversed(range(TRIES)):
        broken = _broken()
        if not broken:
            return
        typer.echo(f"beyond its bound: {', '.join(broken)}" + ("; once more" if left else ""), err=True)
    raise typer.Exit(1)


def _broken() -> list[str]:
    bare, *took = _measured()
    typer.echo(f"a record copied by aiokafka takes {bare:.1f} us of processor time; {cores_and_processor()}")
    broken = []
    for bound, us in zip(BOUNDS.values(), took, strict=True):
        typer.echo(f"{bound.title}: {us:.1f} us, {us / bare:.1f} times as long, {bound.most:g} are allowed")
        if us > bound.most * bare:
            broken.append(bound.title)
    return broken


def _measured() -> tuple[float, float, float]:
    """Microseconds of processor time: a bare copy, the whole path, the common work in our lanes."""
    known, made = candidates(None), list(payments(RECORDS))
    expected = expected_of(made)
    pin(psutil.Process(), BROKER_CORE)
    with tempfile.TemporaryDirectory(prefix="holdfast-guard-") as scratch:
        home = Path(scratch)
        with EmbeddedKafka(home / "kafka") as kafka:
            bare = measure(kafka, known["aiokafka-floor"], made, expected, "floor")
            lanes = measure(kafka, known["holdfast"], made, expected, "lanes")
        (home / "whole").mkdir()
        whole = whole_path(home / "whole", Load(payments=RECORDS))
    if lanes.missing or lanes.twice or lanes.wrong:
        raise SystemExit(f"{lanes.missing} missing, {lanes.twice} twice, {lanes.wrong} wrong")
    return bare.client_us, whole.worker_us + whole.scorer_us, lanes.client_us


if __name__ == "__main__":
    typer.run(main)
