"""Topics in memory, and a consumer of them that can be made slow, blind or late."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaConnectionError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndTimestamp


class InMemoryTopics:
    """`slow` partitions give nothing to a poll; `away`, nobody answers where they end; `firsts` is what is kept."""

    def __init__(self) -> None:
        self.logs: dict[TopicPartition, list[ConsumerRecord]] = defaultdict(list)
        self.firsts: dict[TopicPartition, int] = defaultdict(int)
        self.slow: set[TopicPartition] = set()
        self.away = False
        self.held: set[TopicPartition] = set()
        self._positions: dict[TopicPartition, int] = {}

    def end(self, partition: TopicPartition) -> int:
        """The offset of the next record."""
        return len(self.logs[partition])

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self._positions = dict.fromkeys(partitions, 0)
        self.held.clear()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._positions[partition] = offset

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        if self.away:
            return {}
        polled = {}
        for partition, position in self._positions.items():
            if partition in self.slow | self.held or position == self.end(partition):
                continue
            if position < self.firsts[partition]:
                raise OffsetOutOfRangeError({partition: position})
            polled[partition] = self.logs[partition][position : position + max_records]
        for partition, records in polled.items():
            self._positions[partition] += len(records)
        return polled

    async def position(self, partition: TopicPartition) -> int:
        return self._positions[partition]

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        if self.away:
            raise KafkaConnectionError("nobody there")
        return {each: self.end(each) for each in partitions}

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {each: self.firsts[each] for each in partitions}

    async def offsets_for_times(self, times: Mapping[TopicPartition, int]) -> dict[TopicPartition, Any]:
        return {
            each: next((OffsetAndTimestamp(r.offset, r.timestamp) for r in self.logs[each] if r.timestamp >= at), None)
            for each, at in times.items()
        }

    def pause(self, *partitions: TopicPartition) -> None:
        self.held |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.held -= set(partitions)

    def paused(self) -> set[TopicPartition]:
        return set(self.held)
