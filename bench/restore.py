"""Restore of many cards by one worker: how long, in how much memory, and whether its group heard of it all the while.

    python -m bench.restore --cards 1000000

Everything runs on this machine: embedded Kafka, a changelog of profiles as lanes write it, and then one worker that has
to restore all of it. Time and the longest pause of its event loop are what it says of itself in `lanes_open`; memory
and its place in the group are watched from outside. Exits 1 if it lost that place or a bound is broken.
"""

import asyncio
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient
from rich.console import Console
from rich.table import Table

from bench.changelog import Changelog, write
from bench.processes import running_worker
from streams.broker.embedded import EmbeddedKafka
from streams.broker.topic_admin import create_topics
from streams.broker.topics import Topic, name_of
from streams.operating.machine import cores_and_processor
from streams.settings import Settings, load_settings

PATIENCE_SECONDS = 300.0
LOOK_SECONDS = 0.02
LOOK_AT_GROUP_SECONDS = 0.25
AFTERWARDS_SECONDS = 5.0  # at rest, before its memory is called settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What one start of one worker took."""

    cards: int
    records: int  # that it read for them
    packed_bytes: int  # mean of a card's profile
    partitions: int
    restore_seconds: float  # from partitions assigned to lanes open
    start_seconds: float  # from the start of the process
    start_cpu_seconds: float  # of the worker's own: on a busy machine the rest was others'
    longest_pause_ms: int  # of the event loop meanwhile: heartbeats are due every 1,000
    peak_mb: int  # resident, of the worker without its scorer
    settled_mb: int
    kept_its_place: bool  # one member, one generation, from the first assignment on
    machine: str


def main(
    cards: Annotated[int, typer.Option(min=1, help="Profiles to restore.")] = 1_000_000,
    versions: Annotated[int, typer.Option(min=1, max=20, help="Records of each card: not compacted yet.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Records in a record batch.")] = 5,
    payments_a_day: Annotated[float, typer.Option(min=0.1, max=100, help="Of a card: its ring, hence its size.")] = 8.0,
    partitions: Annotated[int, typer.Option(min=1, max=64, help="Of the topics: the lanes of the worker.")] = 8,
    within: Annotated[float, typer.Option(min=0, help="Most seconds for the restore.")] = 15.0,
    below_mb: Annotated[int, typer.Option(min=1, help="Most resident memory at its peak, in units of 10^6.")] = 1500,
    pause_ms: Annotated[int, typer.Option(min=1, help="Longest pause of the event loop.")] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Restore CARDS profiles in one worker; exit 1 if it took longer or more than the bounds allow."""
    changelog = Changelog(cards=cards, versions=versions, batch=batch, payments_a_day=payments_a_day)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as scratch:
        restored = _measure(Path(scratch), changelog, partitions)
    if as_json:
        typer.echo(json.dumps(asdict(restored)))
    else:
        _show(restored)
    holds = (
        restored.kept_its_place
        and restored.restore_seconds <= within
        and restored.peak_mb <= below_mb
        and restored.longest_pause_ms <= pause_ms
    )
    if not holds:
        raise typer.Exit(1)


def _show(restored: Restored) -> None:
    table = Table(title=f"Restore of {restored.cards:,} cards", show_header=False)
    for name, value in asdict(restored).items():
        table.add_row(name, f"{value:,}" if isinstance(value, int | float) and value is not True else str(value))
    Console().print(table)


def _measure(home: Path, changelog: Changelog, partitions: int) -> Restored:
    with EmbeddedKafka(home / "kafka") as broker:
        environment = os.environ | {
            "HOLDFAST_BROKER": broker.bootstrap,
            "HOLDFAST_TOPICS_PARTITIONS": str(partitions),
            "HOLDFAST_METRICS_WORKER_PORT": "0",
        }
        settings = load_settings(None, environment)
        asyncio.run(create_topics(settings))
        packed = write(broker.bootstrap, name_of(Topic.PROFILES, settings.topics), changelog)
        with running_worker(environment, home / "worker.log") as worker:
            watch = _Watch(settings, worker)
            said = watch.until_open(home / "worker.log")
            watch.look_for(AFTERWARDS_SECONDS)
            return Restored(
                cards=said["cards"],
                records=changelog.records,
                packed_bytes=packed,
                partitions=partitions,
                restore_seconds=said["seconds"],
                start_seconds=round(watch.opened_after, 1),
                start_cpu_seconds=round(watch.cpu_seconds, 1),
                longest_pause_ms=said["longest_pause_ms"],
                peak_mb=round(watch.peak / 1e6),
                settled_mb=round(worker.memory_info().rss / 1e6),
                kept_its_place=len(watch.places) == 1,
                machine=cores_and_processor(),
            )


class _Watch:
    """Looks at a worker from outside: its memory, and its places in the group since it was first given one."""

    def __init__(self, settings: Settings, worker: psutil.Process) -> None:
        self.peak = 0  # bytes
        self.places: set[tuple[str, ...]] = set()
        self.opened_after = 0.0  # seconds
        self.cpu_seconds = 0.0  # used until then
        self._began = time.monotonic()
        self._worker = worker
        self._group = settings.lanes_group
        self._admin = AdminClient({"bootstrap.servers": settings.broker.bootstrap_servers, "log_level": 0})
        self._looked_at_group = 0.0

    def until_open(self, log: Path) -> dict[str, Any]:
        """What the worker says once its lanes are open."""
        while self._worker.is_running() and time.monotonic() < self._began + PATIENCE_SECONDS:
            self._look()
            for line in log.read_text().splitlines():
                if '"lanes_open"' in line and line.endswith("}"):
                    self.opened_after = time.monotonic() - self._began
                    spent = self._worker.cpu_times()
                    self.cpu_seconds = spent.user + spent.system
                    said: dict[str, Any] = json.loads(line)
                    return said
        raise SystemExit(f"the worker opened no lanes:\n{log.read_text()}")

    def look_for(self, seconds: float) -> None:
        """Go on looking."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._look()

    def _look(self) -> None:
        self.peak = max(self.peak, self._worker.memory_info().rss)
        if (now := time.monotonic()) > self._looked_at_group + LOOK_AT_GROUP_SECONDS:
            self._looked_at_group = now
            self._look_at_group()
        time.sleep(LOOK_SECONDS)

    def _look_at_group(self) -> None:
        """Note who is in the group: a place lost, even for a moment, gives another member id or a state in between."""
        try:
            group = self._admin.describe_consumer_groups([self._group])[self._group].result(10)
        except KafkaException:  # a broker that has just started does not know its groups yet
            if self.places:
                raise
            return
        place = (str(group.state), *(member.member_id for member in group.members))
        if self.places or group.state is ConsumerGroupState.STABLE:
            self.places.add(place)


if __name__ == "__main__":
    typer.run(main)
