"""One candidate: how fast it decides what waits for it, what that takes, and whether each decision is right."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psutil
from confluent_kafka import Consumer, IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from bench.filling import fill
from bench.peers.payments import Payment
from bench.peers.place import Place
from bench.peers.work import DECISIONS, State, decide
from bench.spending import CLIENT_CORE, Spending, pin
from streams.broker.embedded import EmbeddedKafka
from streams.broker.topic_admin import create_topics
from streams.broker.topics import Topic, name_of
from streams.settings import Settings, load_settings

PARTITIONS = 8
MOST = 500  # records of each partition in a transaction, as the bare loops take
MEASURED_FROM = 0.1  # of the decisions
LOOK_SECONDS = 0.25
STILL_SECONDS = 2.0  # no decision for so long, and all were made: it is done
STUCK_SECONDS = 30.0
PATIENCE_SECONDS = 300.0
STOP_SECONDS = 15.0
SAME_RISK = 2e-6  # told with six digits

_TOPICS = (Topic.APPROVE, Topic.REVIEW, Topic.BLOCK)  # as `work.DECISIONS`


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An engine, or a bare loop, and what it promises."""

    name: str
    title: str
    promise: str
    module: str
    does_work: bool = True
    python: str = sys.executable  # of an environment that has it

    @property
    def command(self) -> list[str]:
        """What starts it."""
        return [self.python, "-m", f"bench.peers.candidates.{self.module}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. Microseconds are of processor time, for each record."""

    name: str
    per_second: float
    client_us: float
    broker_us: float
    resident_mb: int  # in units of 10^6
    missing: int
    twice: int
    wrong: int  # another decision, risk or key than the work comes to


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A decision as its topic had it."""

    at: float  # when the broker appended it, seconds since 1970
    which: int
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Expected:
    """What the work comes to, by transaction id."""

    which: int
    risk: float
    key: bytes


def expected_of(payments: Sequence[Payment]) -> dict[str, Expected]:
    """The work done here, account by account in their order."""
    states: dict[bytes, State] = {}
    expected = {}
    for payment in payments:
        which, decision, states[payment.key] = decide(states.get(payment.key), payment.value, 0, 0)
        expected[payment.transaction_id] = Expected(which, orjson.loads(decision)["risk"], payment.key)
    return expected


def environment_of(kafka: EmbeddedKafka, run: str) -> dict[str, str]:
    """Of our own settings, for topics of its own."""
    return dict(os.environ) | {
        "HOLDFAST_BROKER": kafka.bootstrap,
        "HOLDFAST_TOPICS_PREFIX": f"{run}.",
        "HOLDFAST_TOPICS_PARTITIONS": str(PARTITIONS),
        "HOLDFAST_LANES_MAX_BATCH": str(PARTITIONS * MOST),
    }


def measure(
    kafka: EmbeddedKafka, candidate: Candidate, payments: Sequence[Payment], expected: Mapping[str, Expected], run: str
) -> Run:
    """Have it decide all of them, which wait for it on topics of its own."""
    environment = environment_of(kafka, run)
    settings = load_settings(None, environment)
    asyncio.run(create_topics(settings))
    fill(settings, ((each.key, each.value) for each in payments))
    with tempfile.TemporaryDirectory(prefix="holdfast-peer-") as home:
        place = place_of(settings, candidate, run, home)
        log = Path(home) / "log"
        process = start(candidate, {**environment, **place.environment()}, log)
        try:
            with Spending([psutil.Process(process.pid)], psutil.Process(kafka.pid)) as spending:
                _await_decisions(settings, place, process, len(payments), log)
                resident = psutil.Process(process.pid).memory_info().rss
        finally:
            stop(process)
    made = _made(settings, place)
    delete(settings)
    return _judged(candidate, made, expected, spending, resident)


def place_of(settings: Settings, candidate: Candidate, run: str, home: str) -> Place:
    """What a candidate is told."""
    state = Path(home) / "state"
    state.mkdir()
    approve, review, block = (name_of(each, settings.topics) for each in _TOPICS)
    return Place(
        bootstrap=settings.broker.bootstrap_servers,
        input=name_of(Topic.TRANSACTIONS, settings.topics),
        approve=approve,
        review=review,
        block=block,
        changelog=name_of(Topic.PROFILES, settings.topics),
        group=f"group-{run}",
        state=str(state),
        work="1" if candidate.does_work else "",
    )


def start(candidate: Candidate, environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Its process, on the processor of those who decide."""
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - candidates are modules of ours
            candidate.command, env=environment, stdout=output, stderr=output
        )
    pin(psutil.Process(process.pid), CLIENT_CORE)
    return process


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End it, in one way or the other."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_decisions(
    settings: Settings, place: Place, process: "subprocess.Popen[bytes]", payments: int, log: Path
) -> None:
    """Until there are as many as payments and no more come; markers of transactions count as records here."""
    admin = AdminClient({"bootstrap.servers": settings.broker.bootstrap_servers})
    began = moved_at = time.monotonic()
    there = 0
    while True:
        now = time.monotonic()
        ends = _ends(admin, place)
        if ends != there:
            there, moved_at = ends, now
        if there >= payments and now - moved_at > STILL_SECONDS:
            return
        if process.poll() is not None or now - moved_at > STUCK_SECONDS or now - began > PATIENCE_SECONDS:
            raise SystemExit(f"{there:,} of {payments:,} decided:\n{log.read_text(errors='replace')[-4_000:]}")
        time.sleep(LOOK_SECONDS)


def _ends(admin: AdminClient, place: Place) -> int:
    asked = {
        TopicPartition(topic, each): OffsetSpec.latest()  # type: ignore[no-untyped-call]
        for topic in place.decisions
        for each in range(PARTITIONS)
    }
    answers = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED)
    return sum(each.result().offset for each in answers.values())


def _made(settings: Settings, place: Place) -> list[_Made]:
    consumer = Consumer(
        {
            "bootstrap.servers": settings.broker.bootstrap_servers,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    which = {topic: number for number, topic in enumerate(place.decisions)}
    partitions = [TopicPartition(topic, each, 0) for topic in which for each in range(PARTITIONS)]
    consumer.assign(partitions)
    made: list[_Made] = []
    unread = len(partitions)
    while unread:
        for message in consumer.consume(5_000, 1.0):
            if message.error():
                unread -= 1  # it came to the end of a partition
                continue
            at, key, value = message.timestamp()[1] / 1000, message.key() or b"", message.value() or b""
            made.append(_Made(at=at, which=which[message.topic() or ""], key=key, value=value))
    consumer.close()
    return made


def _judged(
    candidate: Candidate, made: Sequence[_Made], expected: Mapping[str, Expected], spending: Spending, resident: int
) -> Run:
    at = np.sort([each.at for each in made])
    begin, end = float(at[int(len(at) * MEASURED_FROM)]), float(at[-1])
    measured = len(at) - int(len(at) * MEASURED_FROM)
    client, others, broker = spending.between(begin, end)
    missing = twice = wrong = 0
    if candidate.does_work:
        missing, twice, wrong = _faults(made, expected)
    else:
        missing = max(len(expected) - len(made), 0)
    return Run(
        name=candidate.name,
        per_second=measured / (end - begin),
        client_us=(client + others) / measured * 1e6,
        broker_us=broker / measured * 1e6,
        resident_mb=round(resident / 1e6),
        missing=missing,
        twice=twice,
        wrong=wrong,
    )


def _faults(made: Sequence[_Made], expected: Mapping[str, Expected]) -> tuple[int, int, int]:
    seen: set[str] = set()
    twice = wrong = 0
    for each in made:
        decision: dict[str, Any] = orjson.loads(each.value)
        transaction_id = decision["transaction_id"]
        twice += transaction_id in seen
        seen.add(transaction_id)
        right = expected[transaction_id]
        same = abs(decision["risk"] - right.risk) < SAME_RISK and decision["decision"] == DECISIONS[each.which]
        wrong += not (same and each.which == right.which and each.key == right.key)
    return len(expected) - len(seen), twice, wrong


def delete(settings: Settings) -> None:
    """So that the next has the disk to itself."""
    admin = AdminClient({"bootstrap.servers": settings.broker.bootstrap_servers})
    names = [each for each in admin.list_topics(timeout=10).topics if each.startswith(settings.topics.prefix)]
    for each in admin.delete_topics(names).values():
        each.result()
