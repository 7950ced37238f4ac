"""Brokers in memory that keep a producer's transactions as Kafka does, and may be told to fail.

They take what aiokafka's client would send, in the versions that a worker sends, and look at the batches' own bytes.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition, errors
from aiokafka.client import ConnectionGroup
from aiokafka.record.memory_records import MemoryRecords

NAME = "lanes-1"
VERSIONS = {0: (3, 7), 24: (0, 0), 26: (0, 0)}  # Produce, AddPartitionsToTxn, EndTxn
RETENTION = 5  # batches of which a leader knows the sequence number


class Lost(Enum):
    """What a connection that breaks takes with it."""

    REQUEST = "request"
    ANSWER = "answer"


Fault = Lost | type[errors.KafkaError]


@dataclass
class FakeBrokers:
    """Two of them, by turns the leaders of partitions; the first is the coordinator."""

    coordinator_faults: deque[Fault | None] = field(default_factory=deque)  # of the requests to come
    leader_faults: deque[Fault | None] = field(default_factory=deque)
    fenced: bool = False
    log: defaultdict[TopicPartition, list[tuple[int, list[Any]]]] = field(default_factory=lambda: defaultdict(list))
    committed: list[set[TopicPartition]] = field(default_factory=list)
    open: set[TopicPartition] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    lookups: int = 0
    refreshed: int = 0
    leaderless: int = 0  # looks at the metadata that find no leader
    in_flight: set[TopicPartition] = field(default_factory=set)

    @property
    def producer(self) -> Any:
        """As aiokafka has started it."""
        started = SimpleNamespace(transactional_id=NAME, producer_id=7, producer_epoch=3)
        return SimpleNamespace(client=self, _txn_manager=started)

    @property
    def cluster(self) -> "FakeBrokers":
        return self

    def leader_for_partition(self, place: TopicPartition) -> int | None:
        if self.leaderless:
            self.leaderless -= 1
            return -1
        return place.partition % 2

    def set_topics(self, topics: Iterable[str]) -> None:
        self.topics = set(topics)

    def force_metadata_update(self) -> None:
        self.refreshed += 1

    async def coordinator_lookup(self, _kind: object, name: str) -> int:
        assert name == NAME
        self.lookups += 1
        return 0

    async def send(self, node: int, request: Any, *, group: ConnectionGroup = ConnectionGroup.DEFAULT) -> Any:
        asked = request.prepare(VERSIONS)
        does: Callable[..., Any] = {0: self._produce, 24: self._add_partitions, 26: self._end}[asked.API_KEY]
        assert (group is ConnectionGroup.DEFAULT) == (asked.API_KEY == 0)
        assert asked.transactional_id == NAME
        self.asked.append(does.__name__.strip("_"))
        faults = self.leader_faults if asked.API_KEY == 0 else self.coordinator_faults
        fault = faults.popleft() if faults else None
        if fault is Lost.REQUEST:
            raise errors.KafkaConnectionError("broken")
        if fault is errors.IncompatibleBrokerVersion:
            raise errors.IncompatibleBrokerVersion
        answer = does(node, asked, fault if isinstance(fault, type) else None)
        await asyncio.sleep(0)
        self.in_flight.clear()
        if fault is Lost.ANSWER:
            raise errors.RequestTimedOutError
        return answer

    def _produce(self, node: int, asked: Any, refused: type[Any] | None) -> Any:
        topics: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
        for topic, partitions in asked.topics:
            for partition, batch in partitions:
                place = TopicPartition(topic, partition)
                assert node == partition % 2
                assert place not in self.in_flight, "two batches of one partition at once"
                self.in_flight.add(place)
                topics[topic].append((partition, refused.errno if refused else self._append(place, batch), -1))
        return SimpleNamespace(topics=[*topics.items()])

    def _append(self, place: TopicPartition, data: bytes) -> int:
        if self.fenced:
            return int(errors.InvalidProducerEpoch.errno)
        if place not in self.open:
            return int(errors.InvalidTxnState.errno)
        batch: Any = MemoryRecords(data).next_batch()
        assert batch.validate_crc()
        assert batch.is_transactional
        assert (batch.producer_id, batch.producer_epoch) == (7, 3)
        log = self.log[place]
        if any(batch.base_sequence == sequence for sequence, _ in log[-RETENTION:]):
            return int(errors.NoError.errno)
        expected = log[-1][0] + len(log[-1][1]) if log else 0
        if batch.base_sequence != expected:
            return int(errors.OutOfOrderSequenceNumber.errno)
        log.append((expected, [(record.key, record.value, record.headers) for record in batch]))
        return 0

    def _add_partitions(self, node: int, asked: Any, refused: type[Any] | None) -> Any:
        assert node == 0
        code = refused.errno if refused else 0
        if not code:
            self.open |= {TopicPartition(topic, each) for topic, partitions in asked.topics for each in partitions}
        return SimpleNamespace(
            errors=[(topic, [(each, code) for each in partitions]) for topic, partitions in asked.topics]
        )

    def _end(self, node: int, asked: Any, refused: type[Any] | None) -> Any:
        assert node == 0
        assert asked.transaction_result
        if not refused and self.open:
            self.committed.append(self.open)
            self.open = set()
        return SimpleNamespace(error_code=refused.errno if refused else 0)
