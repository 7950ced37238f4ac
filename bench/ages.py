"""The two ends of an age: payments sent one by one, and their decisions heard by whoever reads committed records only.

Both cost little, because they share a processor with the broker: records are made before, and read after. Nor do they
keep much: on machines that are lent their memory page by page, what is used first costs several times as much.
"""

import gc
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Consumer, TopicPartition

from bench.sending import Paid, Sender
from models.simulator.policy import TrafficPolicy
from models.simulator.traffic import traffic
from models.transaction import Transaction
from streams.broker.kafka_launch import KafkaOptions
from streams.wire.codec import write_transaction

TICK_SECONDS = 0.001
LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 10.0
MOST_KEPT = 100_000  # decisions
DECISION_BYTES = 1_800  # on average, at most

WARM_SECONDS = 120.0  # at 2,000 payments a second: Java's compilers take a fifth of a core until then
WARMING_RATE = 2_000.0

# The embedded Kafka does without Java's second compiler and has a small heap, for the sake of a quick start.
AS_IN_PRODUCTION = KafkaOptions(
    heap_mb=1024,
    java=(
        "-XX:TieredStopAtLevel=4",
        "-XX:MaxGCPauseMillis=200",
        "-XX:+AlwaysPreTouch",
        "-XX:+UseTransparentHugePages",
    ),
)


def _paid_of(transaction: Transaction) -> Paid:
    return Paid(transaction.transaction_id, transaction.pan_token.encode(), write_transaction(transaction))


class Supply:
    """Payments of a simulation, made shortly before they are sent; no look through them is to be part of an age."""

    def __init__(self) -> None:
        self._traffic = traffic(TrafficPolicy(seed=3, cards=20_000))

    def take(self, count: int) -> list[Paid]:
        """The next ones, the very next last, as `Sender.ready` takes them."""
        made = [_paid_of(each.transaction) for each in islice(self._traffic, count)]
        made.reverse()
        gc.freeze()
        return made


class _Room:
    """Memory for what is read, used once before anything is measured. Raises MemoryError where it is too small."""

    def __init__(self, size: int) -> None:
        self._memory = bytearray(b"\1") * size
        self._lock = threading.Lock()
        self._places: deque[tuple[float, int, int, int]] = deque()
        self._end = 0

    def keep(self, at: float, partition: int, value: bytes) -> None:
        """After what is there already."""
        with self._lock:
            begin, self._end = self._end, self._end + len(value)
            if self._end <= len(self._memory):  # it would grow
                self._memory[begin : self._end] = value
            self._places.append((at, partition, begin, self._end))

    def taken(self) -> Iterator[tuple[float, int, memoryview]]:
        """What is kept, in its order; once all is taken, there is room again."""
        with memoryview(self._memory) as memory:
            while True:
                with self._lock:
                    if not self._places:
                        self._end = 0
                        return
                    at, partition, begin, end = self._places.popleft()
                if end > len(memory):
                    raise MemoryError(f"more was read than the {len(memory):,} bytes that were asked for")
                yield at, partition, memory[begin:end]


class Heard(NamedTuple):
    """A decision, and when it was read; seconds since 1970."""

    at: float
    partition: int
    decision: Mapping[str, Any]


class Reader:
    """Reads decisions in a thread, from the beginning of their topics. What they say is looked at afterwards.

    At most so many can be kept at a time.
    """

    def __init__(self, bootstrap: str, topics: Sequence[str], partitions: int, most: int = MOST_KEPT) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "bench",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 100,
            }
        )
        self._consumer.assign([TopicPartition(topic, each, 0) for topic in topics for each in range(partitions)])
        self._room = _Room(most * DECISION_BYTES)
        self._count = 0
        self._keeps = True
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Reader":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._consumer.close()

    @property
    def heard(self) -> int:
        """Decisions that came so far."""
        return self._count

    @contextmanager
    def forgetting(self) -> Iterator[None]:
        """What comes meanwhile is counted, and not kept."""
        self._keeps = False
        yield
        self._keeps = True

    def until(self, count: int, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until so many came, or nothing more is to be hoped for."""
        give_up_at = time.monotonic() + patience_seconds
        while self._count < count and time.monotonic() < give_up_at:
            time.sleep(TICK_SECONDS)

    def received(self, sent: Mapping[str, float], patience_seconds: float = PATIENCE_SECONDS) -> dict[str, list[Heard]]:
        """The decisions on these, by the payment, once each has one; what came before is of no use any more."""
        found: dict[str, list[Heard]] = {}
        give_up_at = time.monotonic() + patience_seconds
        while len(found) < len(sent) and time.monotonic() < give_up_at:
            time.sleep(LOOK_SECONDS)
            for at, partition, value in self._room.taken():
                decision = orjson.loads(value)
                if (paid := decision["transaction_id"]) in sent:
                    found.setdefault(paid, []).append(Heard(at, partition, decision))
        return found

    def _read(self) -> None:
        while not self._ended.is_set():
            first = self._consumer.poll(0.1)  # `consume` would wait for as many as it may take
            at = time.time()
            for each in () if first is None else (first, *self._consumer.consume(500, 0)):
                self._count += 1
                if self._keeps:
                    self._room.keep(at, each.partition() or 0, each.value() or b"{}")


def decided_alone(sender: Sender, reader: Reader, paid: Paid, patience: float = PATIENCE_SECONDS) -> dict[str, float]:
    """When this payment was sent, by its id, once something was decided since."""
    heard = reader.heard
    sent = sender.pay(sender.ready([paid], 1.0, 1.0))
    reader.until(heard + 1, patience)
    return sent
