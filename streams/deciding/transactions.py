"""Transactions of a producer that aiokafka has started, written request by request.

aiokafka sends what a queue of its own gives out, when its task for that comes round, and half of a commit was waiting
for turns of the loop. Here the partitions of a transaction are added while its batches are built, all that a leader is
to have goes to it at once, and the end follows the last answer. Connections, metadata and the requests themselves are
aiokafka's.

A request that is sent again does no harm: each batch has its sequence number, and whoever fences us takes the epoch. So
whatever may pass is tried again, for as long as it takes; anything else is raised.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition, errors
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.producer.transaction_manager import TransactionResult
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import AddPartitionsToTxnRequest, EndTxnRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.deciding.batch import Outgoing
from streams.settings import LaneSettings

LARGEST_BATCH_BYTES = 2_000_000  # below max.message.bytes of every topic that a worker writes in transactions
LONGEST_PAUSE_SECONDS = 0.25
ALL_IN_SYNC = -1  # acks
RECORD_FORMAT = 2
UNCOMPRESSED = 0
SEQUENCES = 2**31  # then they begin again
NO_LEADER = (None, -1)  # unknown, and none at the moment

WRITTEN = (errors.NoError, errors.DuplicateSequenceNumber)  # now, or by a request whose answer was lost

# Answers of a coordinator after which it is asked again.
MOVED = (errors.CoordinatorNotAvailableError, errors.NotCoordinatorError)
NOT_YET = (
    errors.ConcurrentTransactions,  # the transaction before is still ending
    errors.CoordinatorLoadInProgressError,
    errors.UnknownTopicOrPartitionError,
    errors.OperationNotAttempted,  # because another partition of the request was refused, which says why
)

log = structlog.get_logger(__name__)


class RecordTooLarge(Exception):
    """A record does not fit into a batch of its own; no broker would take it."""


class Transactions:
    """One at a time. What it raises leaves nobody knowing what was written."""

    def __init__(self, settings: LaneSettings, producer: AIOKafkaProducer, topics: Iterable[str]) -> None:
        self._request_timeout_ms = settings.request_timeout_ms
        self._shortest_pause = settings.retry_backoff_ms / 1000
        self._client = producer.client
        self._client.set_topics(topics)
        started = producer._txn_manager  # noqa: SLF001 - what the coordinator told aiokafka is nowhere else
        self._name: str = started.transactional_id
        self._producer_id: int = started.producer_id
        self._epoch: int = started.producer_epoch
        self._sequences: defaultdict[TopicPartition, int] = defaultdict(int)  # of the next record
        self._coordinator: int | None = None

    async def transact(self, records: Mapping[TopicPartition, Sequence[Outgoing]]) -> None:
        """Write all of them in one transaction, each to its partition in order, and commit it."""
        if not records:
            return
        begun = asyncio.ensure_future(self._begin(records))
        try:
            await asyncio.sleep(0)  # so that the question is on its way while batches are built
            batches = {place: deque(self._batches_of(place, each)) for place, each in records.items()}
            await begun
        finally:
            begun.cancel()
        await self._write(batches)
        await self._end()

    async def _begin(self, places: Iterable[TopicPartition]) -> None:
        partitions = defaultdict(list)
        for place in places:
            partitions[place.topic].append(place.partition)
        request = AddPartitionsToTxnRequest(
            transactional_id=self._name,
            producer_id=self._producer_id,
            producer_epoch=self._epoch,
            topics=[*partitions.items()],
        )
        await self._ask_coordinator(request, _codes_of_partitions)

    async def _end(self) -> None:
        request = EndTxnRequest(
            transactional_id=self._name,
            producer_id=self._producer_id,
            producer_epoch=self._epoch,
            transaction_result=TransactionResult.COMMIT,
        )
        await self._ask_coordinator(request, lambda answer: [answer.error_code])

    async def _ask_coordinator(self, request: Any, codes: Callable[[Any], Iterable[int]]) -> None:
        for pause in self._pauses():
            if await self._granted(request, codes):
                return
            await asyncio.sleep(pause)

    async def _granted(self, request: Any, codes: Callable[[Any], Iterable[int]]) -> bool:
        try:
            if self._coordinator is None:
                self._coordinator = await self._client.coordinator_lookup(CoordinationType.TRANSACTION, self._name)
            answer = await self._client.send(self._coordinator, request, group=ConnectionGroup.COORDINATION)
        except errors.KafkaError as error:
            if not error.retriable:
                raise
            log.warning("coordinator_silent", error=repr(error))
            self._look_around()
            return False
        refused = {errors.for_code(code) for code in codes(answer) if code}
        for each in refused.difference(MOVED, NOT_YET):
            raise each(self._name)
        if refused.intersection(MOVED):
            self._look_around()
        return not refused

    def _batches_of(self, place: TopicPartition, records: Sequence[Outgoing]) -> Iterator[bytes]:
        """Record batches, each as large as may be."""
        builder, count = self._builder(), 0
        for key, value, headers in records:
            if builder.append(count, None, key, value, [*headers]) is None:
                yield self._built(place, builder, count)
                builder, count = self._builder(), 0
                builder.append(count, None, key, value, [*headers])
            if builder.size() > LARGEST_BATCH_BYTES:  # a batch's first record is taken whatever its size
                raise RecordTooLarge(place.topic)
            count += 1
        yield self._built(place, builder, count)

    def _builder(self) -> DefaultRecordBatchBuilder:
        return DefaultRecordBatchBuilder(
            RECORD_FORMAT,
            UNCOMPRESSED,
            is_transactional=1,
            producer_id=self._producer_id,
            producer_epoch=self._epoch,
            base_sequence=0,
            batch_size=LARGEST_BATCH_BYTES,
        )

    def _built(self, place: TopicPartition, builder: DefaultRecordBatchBuilder, count: int) -> bytes:
        sequence = self._sequences[place]
        self._sequences[place] = (sequence + count) % SEQUENCES
        builder.set_producer_state(self._producer_id, self._epoch, sequence)
        return bytes(builder.build())

    async def _write(self, batches: dict[TopicPartition, deque[bytes]]) -> None:
        """Until leaders have all of it. Of one partition a batch follows the one before it, as sequence numbers do."""
        pauses = self._pauses()
        while batches:
            written = await self._write_next({place: each[0] for place, each in batches.items()})
            if len(written) < len(batches):
                self._client.force_metadata_update()
                await asyncio.sleep(next(pauses))
            for place in written:
                batches[place].popleft()
                if not batches[place]:
                    del batches[place]

    async def _write_next(self, batches: Mapping[TopicPartition, bytes]) -> Collection[TopicPartition]:
        """Send each to its leader; those that were taken."""
        by_leader: defaultdict[int, list[TopicPartition]] = defaultdict(list)
        for place in batches:
            leader = self._client.cluster.leader_for_partition(place)
            if leader not in NO_LEADER:
                by_leader[leader].append(place)
        writing = [self._produce(leader, {place: batches[place] for place in led}) for leader, led in by_leader.items()]
        if len(writing) == 1:
            return await writing[0]
        return [*chain.from_iterable(await asyncio.gather(*writing))]

    async def _produce(self, leader: int, batches: Mapping[TopicPartition, bytes]) -> list[TopicPartition]:
        topics = defaultdict(list)
        for place, batch in batches.items():
            topics[place.topic].append((place.partition, batch))
        request = ProduceRequest(
            transactional_id=self._name,
            required_acks=ALL_IN_SYNC,
            timeout=self._request_timeout_ms,
            topics=[*topics.items()],
        )
        try:
            answer = await self._client.send(leader, request)
        except errors.KafkaError as error:
            if not error.retriable:
                raise
            log.warning("leader_silent", leader=leader, error=repr(error))
            return []
        written = []
        for topic, partitions in answer.topics:
            for partition, code, *_ in partitions:
                refused = errors.for_code(code)
                if refused in WRITTEN:
                    written.append(TopicPartition(topic, partition))
                elif not refused.retriable:
                    raise refused(f"{topic}-{partition}")
        return written

    def _look_around(self) -> None:
        self._coordinator = None
        self._client.force_metadata_update()

    def _pauses(self) -> Iterator[float]:
        """Seconds between tries: as long as a transaction takes to end at first, since that is what most wait for."""
        pause = self._shortest_pause
        while pause < LONGEST_PAUSE_SECONDS:
            yield pause
            pause *= 2
        yield from repeat(LONGEST_PAUSE_SECONDS)


def _codes_of_partitions(answer: Any) -> Iterator[int]:
    return (code for _, partitions in answer.errors for _, code in partitions)
