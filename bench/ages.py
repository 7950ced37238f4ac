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
from confluent_kafka import Consumer, Producer, TopicPartition

from models.simulator.policy import TrafficPolicy
from models.simulator.traffic import traffic
from models.transaction import Transaction
from streams.broker.kafka_launch import KafkaOptions
from streams.wire.codec import write_transaction

TICK_SECONDS = 0.001
LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 10.0

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


class Paid(NamedTuple):
    """A payment as it is sent."""

    transaction_id: str
    key: bytes
    value: bytes


def _paid_of(transaction: Transaction) -> Paid:
    return Paid(transaction.transaction_id, transaction.pan_token.encode(), write_transaction(transaction))


class Supply:
    """Payments of a simulation, made shortly before they are sent; no look through them is to be part of an age."""

    def __init__(self) -> None:
        self._traffic = traffic(TrafficPolicy(seed=3, cards=20_000))

    def take(self, count: int) -> list[Paid]:
        """The next ones, the very next last, as `Sender.pay` takes them."""
        made = [_paid_of(each.transaction) for each in islice(self._traffic, count)]
        made.reverse()
        gc.freeze()
        return made


class Heard(NamedTuple):
    """A decision, and when it was read; seconds since 1970."""

    at: float
    partition: int
    decision: Mapping[str, Any]


class Sender:
    """Sends payments one by one, as an acquirer does, and notes when.

    Each is a request of its own unless it may linger for others; Kafka's own producer lets it, 5 ms.
    """

    def __init__(self, bootstrap: str, topic: str, linger_ms: float = 0.0) -> None:
        self._topic = topic
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": linger_ms, "acks": "1"}
        )

    def pay(self, waiting: list[Paid], rate: float, seconds: float) -> dict[str, float]:
        """When each was sent, by its id, seconds since 1970; `waiting` is taken from its end."""
        sent: dict[str, float] = {}
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            while len(sent) < passed * rate:
                self._send(waiting.pop(), sent)
            self._producer.poll(0)
            time.sleep(TICK_SECONDS)
        self._producer.flush(PATIENCE_SECONDS)
        return sent

    def alone(self, reader: "Reader", paid: Paid, patience_seconds: float = PATIENCE_SECONDS) -> dict[str, float]:
        """The same of one payment, once something was decided since."""
        sent: dict[str, float] = {}
        heard = reader.heard
        self._send(paid, sent)
        self._producer.flush(PATIENCE_SECONDS)
        reader.until(heard + 1, patience_seconds)
        return sent

    def _send(self, paid: Paid, sent: dict[str, float]) -> None:
        sent[paid.transaction_id] = time.time()
        self._producer.produce(self._topic, paid.value, paid.key)


class Reader:
    """Reads decisions in a thread, from the beginning of their topics. What they say is looked at afterwards."""

    def __init__(self, bootstrap: str, topics: Sequence[str], partitions: int) -> None:
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
        self._heard: deque[tuple[float, int, bytes]] = deque()
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
            while self._heard:
                at, partition, value = self._heard.popleft()
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
                    self._heard.append((at, each.partition() or 0, each.value() or b"{}"))
