"""The payer of a campaign, in a process of its own: simulated traffic through another client, every word of it kept.

    python -m chaos.sender --help

An acknowledged record is written to the history with its digest and its place, as far as the broker remembers that;
what was not acknowledged is written as such. The producer is idempotent and patient: it outlasts an outage of minutes
and keeps the order of each partition.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from chaos.evidence import digest_of
from chaos.history import History
from confluent_kafka import KafkaError, Message, Producer

from models.simulator.policy import TrafficPolicy
from streams.broker.topics import Topic, name_of
from streams.operating.aftermath import Aftermath
from streams.operating.pacing import TokenBucket
from streams.operating.simulated_run import BadRecords, SimulatedRun
from streams.settings import load_settings
from streams.wire.codec import write_label, write_transaction

TICK_SECONDS = 0.005
PATIENCE_SECONDS = 600.0  # of the producer, for one record
LOOK_BACK = 50  # a repeat comes so many payments after the first: mostly in another batch, sometimes in the same

Record = tuple[Topic, bytes | None, bytes | None, str]  # topic, key, value, and what it is to the history


def main(
    history: Annotated[Path, typer.Option(help="Where to write what was sent.")],
    rate: Annotated[float, typer.Option(help="Payments a second.")],
    seconds: Annotated[float, typer.Option(help="For so long, or until SIGTERM.")],
    seed: Annotated[int, typer.Option()] = 1,
    cards: Annotated[int, typer.Option(help="How many pay.")] = 3000,
    bad: Annotated[float, typer.Option(help="Share of bad records.")] = 0.01,
    twice: Annotated[float, typer.Option(help="Share of payments sent a second time.")] = 0.0,
) -> None:
    """Send, wait until all of it is acknowledged, and end."""
    settings = load_settings(None, os.environ)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    producer = Producer(
        {
            "bootstrap.servers": settings.broker.bootstrap_servers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 2,
            "message.timeout.ms": int(PATIENCE_SECONDS * 1000),
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 2_000_000,
            "message.max.bytes": 2_000_000,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
        }
    )
    policy = TrafficPolicy(seed=seed, cards=cards)
    with History(history) as told:
        payer = _Payer(policy, rate=rate, seconds=seconds, bad=bad, twice=twice)
        began = time.monotonic()
        bucket = TokenBucket(rate, now=began)
        while not stopped and (now := time.monotonic()) - began < seconds:
            for topic, key, value, kind in payer.pay(bucket.take(now), now - began):
                _send(producer, told, name_of(topic, settings.topics), key, value, kind)
            producer.poll(0)
            time.sleep(max(0.0, TICK_SECONDS - (time.monotonic() - now)))
        told.note("flushing", waiting=len(producer))
        unsent = producer.flush(PATIENCE_SECONDS)
        told.note("sent", unsent=unsent)
    raise typer.Exit(1 if unsent else 0)


def _send(producer: Producer, told: History, topic: str, key: bytes | None, value: bytes | None, kind: str) -> None:
    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            told.note("refused", kind=kind, why=error.str())
        else:
            where = {"topic": message.topic(), "partition": message.partition(), "offset": message.offset()}
            told.note("ack", kind=kind, **where, digest=digest_of(key, value))

    producer.produce(topic, key=key, value=value, on_delivery=delivered)


class _Payer:
    """Makes records: payments, damaged ones, repeats, and labels when their simulated time comes."""

    def __init__(self, policy: TrafficPolicy, *, rate: float, seconds: float, bad: float, twice: float) -> None:
        self._run = SimulatedRun(policy, now=datetime.now(UTC), rate=rate, seconds=seconds, time_compression=None)
        self._aftermath = Aftermath(react=False)
        self._bad = BadRecords(bad, policy.seed)
        self._twice = twice
        self._owed = 0.0
        self._recent: list[tuple[bytes, bytes]] = []

    def pay(self, due: int, elapsed: float) -> Iterator[Record]:
        """The next `due` payments and what comes with them."""
        wall = datetime.now(UTC)
        for _ in range(due):
            simulated = self._run.pay(elapsed)
            transaction = simulated.transaction
            if transaction.event_time > wall:
                transaction = msgspec.structs.replace(transaction, event_time=wall)
                simulated = replace(simulated, transaction=transaction)
            key, value = transaction.pan_token.encode(), write_transaction(transaction)
            yield Topic.TRANSACTIONS, key, value, "payment"
            self._aftermath.sent(simulated, elapsed)
            for bad_key, bad_value in self._bad.after(transaction, wall):
                yield Topic.TRANSACTIONS, bad_key, bad_value, "bad"
            yield from self._again(key, value)
            for label in self._aftermath.due(transaction.event_time):
                yield Topic.LABELS, label.transaction_id.encode(), write_label(label), "label"

    def _again(self, key: bytes, value: bytes) -> Iterator[Record]:
        """A repeat of a payment of a moment ago, bytes and all, as a producer sends that lost its answer."""
        self._owed += self._twice
        self._recent.append((key, value))
        if len(self._recent) > LOOK_BACK:
            old: tuple[Any, Any] = self._recent.pop(0)
            if self._owed >= 1.0:
                self._owed -= 1.0
                yield Topic.TRANSACTIONS, *old, "repeat"


if __name__ == "__main__":
    typer.run(main)
