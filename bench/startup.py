"""How long processes take to start: from the command to ready, on a broker whose topics are there and empty.

    python -m bench.startup

A worker is ready once its lanes are open: the next transaction is decided. It has no model then, as nobody gave it one.
Of several starts the median; commands that only print are timed until they end.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams.broker.embedded import EmbeddedKafka
from streams.broker.topic_admin import create_topics
from streams.operating.machine import cores_and_processor
from streams.ready_signal import READY_FD
from streams.settings import load_settings

PROCESSES = ("worker", "learner", "reconciler", "watcher", "console")
COMMANDS = (("--help",), ("rules", "--help"))
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Of one command; median, least and most of its starts."""

    command: str
    seconds: float
    least: float
    most: float


def main(
    times: Annotated[int, typer.Option(min=1, max=50)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Measure how long processes take to start."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as scratch:
        starts = _measure(Path(scratch), times)
    if as_json:
        typer.echo(json.dumps({"machine": cores_and_processor(), "starts": [asdict(each) for each in starts]}))
        return
    table = Table("holdfast", "seconds", "from", "to", title="Ready after")
    for each in starts:
        table.add_row(each.command, f"{each.seconds:.2f}", f"{each.least:.2f}", f"{each.most:.2f}")
    Console().print(table)
    typer.echo(cores_and_processor())


def _measure(home: Path, times: int) -> list[Start]:
    with EmbeddedKafka(home / "kafka") as kafka:
        environment = os.environ | {
            "HOLDFAST_BROKER": kafka.bootstrap,
            "HOLDFAST_CONSOLE_STORE_URL": f"sqlite:///{home}/reviews.db",
            **{f"HOLDFAST_METRICS_{each.upper()}_PORT": "0" for each in PROCESSES},
        }
        asyncio.run(create_topics(load_settings(None, environment)))
        starts = [_start(" ".join(each), [_ended(each, environment) for _ in range(times)]) for each in COMMANDS]
        for each in PROCESSES:
            starts.append(_start(each, [_ready(each, environment, home) for _ in range(times)]))
    return starts


def _start(command: str, taken: list[float]) -> Start:
    return Start(command=command, seconds=median(taken), least=min(taken), most=max(taken))


def _ended(command: tuple[str, ...], environment: Mapping[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "streams.operating.cli", *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.monotonic() - began


def _ready(name: str, environment: Mapping[str, str], home: Path) -> float:
    reading, writing = os.pipe()
    log = home / f"{name}.log"
    began = time.monotonic()
    with log.open("wb") as output, os.fdopen(reading) as told:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "streams.operating.cli", name],
            env={**environment, READY_FD: str(writing)},
            stderr=output,
            pass_fds=(writing,),
        )
        os.close(writing)
        try:
            said = told.readline()  # or nothing, where the process ended
        finally:
            taken = time.monotonic() - began
            process.terminate()
            process.wait(PATIENCE_SECONDS)
    if not said:
        raise SystemExit(f"{name} did not start:\n{log.read_text(errors='replace')[-4_000:]}")
    return taken


if __name__ == "__main__":
    typer.run(main)
