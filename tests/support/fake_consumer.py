"""A consumer in memory: gives what it was fed, of partitions that are not paused."""

import asyncio
from collections import deque

from aiokafka import ConsumerRecord, TopicPartition


class FakeConsumer:
    """`end` is the high watermark of every partition; `failure` is raised by the next poll."""

    def __init__(self, end: int | None = None) -> None:
        self.end = end
        self.failure: Exception | None = None
        self.fed: dict[TopicPartition, deque[ConsumerRecord]] = {}
        self.held: set[TopicPartition] = set()

    def feed(self, partition: TopicPartition, *records: ConsumerRecord) -> None:
        self.fed.setdefault(partition, deque()).extend(records)

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        taken = {}
        for partition, records in self.fed.items():
            if records and partition not in self.held:
                taken[partition] = [records.popleft() for _ in range(min(max_records, len(records)))]
        return taken

    def highwater(self, partition: TopicPartition) -> int | None:
        return self.end

    def pause(self, *partitions: TopicPartition) -> None:
        self.held.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.held.difference_update(partitions)

    def paused(self) -> set[TopicPartition]:
        return self.held
