"""Hears every committed decision as a consumer would, and remembers when: the pulse of a run.

It goes by two clocks, its own and the broker's, which are the machine's. A worker's may be wrong: no time is measured
by when a decision says that it was made. A partition is back once a payment is decided that the broker took in after
the moment: with all that waited before it, since decisions of a partition come in its order.
"""

import threading
import time
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from confluent_kafka import Consumer, TopicPartition

from streams.broker.reading import partitions_of
from streams.broker.topics import DECISIONS
from streams.settings import Settings


class _Told(msgspec.Struct):
    received_at: datetime  # the broker's timestamp of the payment
    decided_at: datetime  # by the worker's clock


_told = msgspec.json.Decoder(_Told)


@dataclass(slots=True)
class _Columns:
    """Of each decision: when it was heard, when its payment was received (seconds since 1970), its partition.

    And how far the clock of its worker was ahead, as it seems: less the seconds from the decision to the ear.
    """

    heard: "array[float]" = field(default_factory=lambda: array("d"))
    received: "array[float]" = field(default_factory=lambda: array("d"))
    clocks: "array[float]" = field(default_factory=lambda: array("d"))
    partitions: "array[int]" = field(default_factory=lambda: array("i"))


class Listener:
    """A thread that reads the decision topics, committed records only, from their beginning."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._columns = _Columns()
        self._latest = [0.0] * settings.topics.partitions  # when the newest payment decided was received
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def count(self) -> int:
        """Decisions heard so far."""
        return len(self._columns.heard)

    def state(self) -> dict[str, Any]:
        """For whoever wonders why it hears nothing."""
        return {"lives": self._thread.is_alive(), "count": self.count, "latest": list(self._latest)}

    def silent_since(self, moment: float) -> list[int]:
        """Partitions of which no decision was heard on a payment received after the moment. Raises if nobody hears."""
        if self._thread.ident is not None and not self._thread.is_alive():
            raise RuntimeError("the listener's thread has ended")
        return [number for number, received in enumerate(self._latest) if received <= moment]

    def ages_between(self, begin: float, end: float) -> Sequence[float]:
        """Ages in seconds of what was heard in between, from the broker's timestamp of the payment to the receipt."""
        first, last = self._rows(begin, end)
        heard, received = (np.array(each[first:last]) for each in (self._columns.heard, self._columns.received))
        ages: list[float] = (heard - received).tolist()
        return ages

    def clocks_between(self, begin: float, end: float) -> Sequence[float]:
        """Seconds that the workers' clocks were ahead of ours by what was heard in between; behind is below 0."""
        first, last = self._rows(begin, end)
        return self._columns.clocks[first:last]

    def back_after(self, moment: float, end: float) -> list[float | None]:
        """For each partition, seconds from the moment to the first decision on a payment received after it."""
        first, last = self._rows(moment, end)
        heard = np.array(self._columns.heard[first:last])
        received = np.array(self._columns.received[first:last])
        partitions = np.array(self._columns.partitions[first:last])
        back: list[float | None] = []
        for number in range(len(self._latest)):
            its = heard[(partitions == number) & (received > moment)]
            back.append(float(its[0]) - moment if len(its) else None)
        return back

    def longest_silences(self, begin: float, end: float) -> list[float]:
        """For each partition, the longest time in seconds between `begin` and `end` in which no decision was heard."""
        first, last = self._rows(begin, end)
        heard = np.array(self._columns.heard[first:last])
        partitions = np.array(self._columns.partitions[first:last])
        borders = ([begin], [end])
        return [
            float(np.diff(np.concatenate((borders[0], heard[partitions == number], borders[1]))).max())
            for number in range(len(self._latest))
        ]

    def _rows(self, begin: float, end: float) -> tuple[int, int]:
        # Not by numpy: an array whose memory is looked at cannot grow, and the thread that lets it grow would end.
        heard = self._columns.heard
        return bisect_left(heard, begin), bisect_left(heard, end)

    def _listen(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._settings.broker.bootstrap_servers,
                "group.id": "chaos-listener",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 20,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        partitions = partitions_of(self._settings, DECISIONS.values())
        consumer.assign([TopicPartition(each.topic, each.partition, 0) for each in partitions])
        try:
            while not self._ended.is_set():
                messages = consumer.consume(500, timeout=0.05)
                now = time.time()
                for message in messages:
                    if message.error() is None:
                        self.take(message.partition(), message.value(), now)
        finally:
            consumer.close()

    def take(self, partition: int, value: bytes, now: float) -> None:
        """A decision of a partition is heard, in seconds since 1970; for the thread, and for a test without one."""
        told = _told.decode(value)
        received = told.received_at.timestamp()
        columns = self._columns
        columns.clocks.append(told.decided_at.timestamp() - now)
        columns.received.append(received)
        columns.partitions.append(partition)
        columns.heard.append(now)  # last: a reader goes by its length
        self._latest[partition] = max(self._latest[partition], received)
