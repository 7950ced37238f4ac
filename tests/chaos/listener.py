"""Hears every committed decision as a consumer would, and remembers when: the pulse of a run."""

import threading
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import numpy as np
from confluent_kafka import Consumer, TopicPartition

from streams.broker.reading import partitions_of
from streams.broker.topics import DECISIONS
from streams.settings import Settings


class _Told(msgspec.Struct):
    received_at: datetime
    decided_at: datetime


_told = msgspec.json.Decoder(_Told)


@dataclass(slots=True)
class _Columns:
    """Of each decision: when it was heard and made (seconds since 1970), its age then (seconds), its partition."""

    heard: "array[float]" = field(default_factory=lambda: array("d"))
    made: "array[float]" = field(default_factory=lambda: array("d"))
    ages: "array[float]" = field(default_factory=lambda: array("d"))
    partitions: "array[int]" = field(default_factory=lambda: array("i"))


class Listener:
    """A thread that reads the decision topics, committed records only, from their beginning."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._columns = _Columns()
        self._latest = [0.0] * settings.topics.partitions  # when the newest decision of each partition was made
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

    def silent_since(self, moment: float) -> list[int]:
        """Partitions of which no decision was heard that was made after the moment."""
        return [number for number, made in enumerate(self._latest) if made <= moment]

    def ages_between(self, begin: float, end: float) -> Sequence[float]:
        """Ages in seconds of what was heard in between, from the broker's timestamp of the payment to the receipt."""
        first, last = self._rows(begin, end)
        return self._columns.ages[first:last]

    def back_after(self, moment: float, end: float) -> list[float | None]:
        """For each partition, seconds from the moment to the first decision heard that was made after it."""
        first, last = self._rows(moment, end)
        heard = np.array(self._columns.heard[first:last])
        made = np.array(self._columns.made[first:last])
        partitions = np.array(self._columns.partitions[first:last])
        back: list[float | None] = []
        for number in range(len(self._latest)):
            its = heard[(partitions == number) & (made > moment)]
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
        heard = np.array(self._columns.heard)
        return int(np.searchsorted(heard, begin)), int(np.searchsorted(heard, end))

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
        made = told.decided_at.timestamp()
        columns = self._columns
        columns.made.append(made)
        columns.ages.append(now - told.received_at.timestamp())
        columns.partitions.append(partition)
        columns.heard.append(now)  # last: a reader goes by its length
        self._latest[partition] = max(self._latest[partition], made)
