"""Reads what cases are made of and what is said of them on topics: decisions, the model's later words, answers,
complaints.

It reads without a group; up to where it has come stands in the store, in one transaction with the cases that it opened.
A later word is told only once every decision that lay on its topic by then has been read: it may be about any of them.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from rules.complaint import ComplaintRefused, stopped_by_decision, stopped_by_revision
from rules.decision import Decision, InputPosition, Outcome
from rules.review_case import WordRefused
from rules.revision import RevisionKind
from streams.broker.clients import reader
from streams.broker.reading import Offsets, begin_at, behind, partitions_of, place, places_at, stretch
from streams.broker.topics import Topic, name_of
from streams.metrics.console import ConsoleMetrics
from streams.reviewing.desk import Desk
from streams.reviewing.store import NoSuchCase, Opening, Store
from streams.settings import Settings
from streams.wire.codec import MalformedRecord, read_answer, read_complaint, read_decision, read_revision

log = structlog.get_logger()

POLL_MS = 100
MOST_RECORDS = 500


class Intake:
    """Two readers: of decisions, and of words on them."""

    def __init__(self, settings: Settings, store: Store, desk: Desk, metrics: ConsoleMetrics) -> None:
        self._settings = settings
        self._store = store
        self._desk = desk
        self._metrics = metrics
        self._reviews = partitions_of(settings, [Topic.REVIEW])
        self._blocks = partitions_of(settings, [Topic.BLOCK])
        self._told = partitions_of(settings, [Topic.REVISED, Topic.INFORMATION_ANSWERED, Topic.COMPLAINTS])
        self._revised = name_of(Topic.REVISED, settings.topics)
        self._complaints = name_of(Topic.COMPLAINTS, settings.topics)
        self._settled: set[str] = set()  # decisions with a final word that this store may not know
        self._decisions: AIOKafkaConsumer  # made in start: they need the running loop
        self._words: AIOKafkaConsumer

    async def start(self) -> None:
        """Stand where the store says; a new one begins with what could still be in time, or complained of."""
        self._decisions = reader(self._settings.broker)
        self._words = reader(self._settings.broker)
        await self._decisions.start()
        await self._words.start()
        noted = await asyncio.to_thread(self._store.next_offsets)
        due_in = timedelta(minutes=max(queue.due_minutes for queue in self._settings.review.queues))
        words = await self._places(self._words, self._told, noted, due_in)
        await self._learn_settled({each: words[each] for each in words if each.topic == self._revised})
        begin_at(self._words, words)
        heard = timedelta(days=self._settings.review.complaint_days)
        reviews = await self._places(self._decisions, self._reviews, noted, due_in)
        begin_at(self._decisions, reviews | await self._places(self._decisions, self._blocks, noted, heard))

    async def stop(self) -> None:
        """Disconnect."""
        await self._decisions.stop()
        await self._words.stop()

    async def round(self) -> None:
        """What there is to read now, up to a poll of each."""
        words = await self._words.getmany(timeout_ms=0, max_records=MOST_RECORDS)
        if words:
            await self._open_up_to(await self._decisions.end_offsets([*self._reviews, *self._blocks]))
            await self._hear([record for records in words.values() for record in records])
            await asyncio.to_thread(self._store.open, [], _following(words))
        await self._open()

    async def _places(
        self,
        consumer: AIOKafkaConsumer,
        partitions: Sequence[TopicPartition],
        noted: Mapping[str, int],
        back: timedelta,
    ) -> Offsets:
        since = datetime.now(UTC) - back
        beginnings = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        first = await places_at(consumer, list(partitions), since.timestamp())
        there = {each: noted.get(place(each), -1) for each in partitions}
        return {
            each: offset if beginnings[each] <= offset <= ends[each] else first[each] for each, offset in there.items()
        }

    async def _learn_settled(self, places: Offsets) -> None:
        """Final words that are on the topic: what has one is not opened again by a store that does not know it."""
        ends, payments = await self._words.end_offsets(list(places)), []
        async for records in stretch(self._words, places, ends):
            for record in records:
                try:
                    revision = read_revision(record.value)
                except MalformedRecord:
                    continue  # told when it is heard
                if revision.kind is not RevisionKind.RE_SCORE:
                    self._settled.add(revision.decision_id)
                if (payment := stopped_by_revision(revision)) is not None:
                    payments.append(payment)
        await asyncio.to_thread(self._store.open, [], {}, payments)

    async def _open_up_to(self, ends: Offsets) -> None:
        while await behind(self._decisions, ends):
            await self._open()

    async def _open(self) -> None:
        polled = await self._decisions.getmany(timeout_ms=POLL_MS, max_records=MOST_RECORDS)
        if not polled:
            return
        openings, payments = [], []
        for record in [each for records in polled.values() for each in records]:
            try:
                decision = read_decision(record.value)
            except MalformedRecord as error:
                self._refuse(record, error)
                continue
            lay = InputPosition(topic=record.topic, partition=record.partition, offset=record.offset)
            if (opening := self._opening(decision, record.value, lay)) is not None:
                openings.append(opening)
            if (payment := stopped_by_decision(decision, lay)) is not None:
                payments.append(payment)
        await asyncio.to_thread(self._store.open, openings, _following(polled), payments)
        self._metrics.stopped(payments)

    def _opening(self, decision: Decision, raw: bytes, lay: InputPosition) -> Opening | None:
        policy = self._settings.review
        if decision.decision_id in self._settled or not policy.wants(decision):
            return None
        case = policy.open(decision, self._settings.policy, decision.decided_at)
        if decision.outcome is Outcome.BLOCK and case.due_at <= datetime.now(UTC):
            return None  # it stays one: a new store reads further back than reviews are in time
        return Opening(case=case, decision=decision, raw=raw, place=lay)

    async def _hear(self, records: Iterable[ConsumerRecord]) -> None:
        for record in records:
            try:
                if record.topic == self._revised:
                    await self._hear_revision(record)
                elif record.topic == self._complaints:
                    await self._hear_complaint(record)
                else:
                    await self._hear_answer(record)
            except MalformedRecord as error:
                self._refuse(record, error)

    async def _hear_revision(self, record: ConsumerRecord) -> None:
        revision = read_revision(record.value)
        if revision.kind is RevisionKind.RE_SCORE:
            await asyncio.to_thread(self._desk.hear_re_score, revision, datetime.now(UTC))

    async def _hear_complaint(self, record: ConsumerRecord) -> None:
        complaint = read_complaint(record.value)
        if complaint.decision_id is not None:
            return  # the console's own word
        try:
            await asyncio.to_thread(self._store.complaints.receive, complaint)
        except ComplaintRefused as refused:
            log.info("complaint_refused", complaint_id=complaint.complaint_id, why=refused.reason)
            self._metrics.complaint_refused(refused.reason)

    async def _hear_answer(self, record: ConsumerRecord) -> None:
        answer = read_answer(record.value)
        try:
            await asyncio.to_thread(self._desk.hear_answer, answer, datetime.now(UTC))
        except (WordRefused, NoSuchCase) as refused:
            log.info("answer_refused", request_id=answer.request_id, why=str(refused))
            self._metrics.answer_refused()
        else:
            self._metrics.answered(answer)

    def _refuse(self, record: ConsumerRecord, error: MalformedRecord) -> None:
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        log.error("record_unreadable", why=str(error), **where)
        self._metrics.unreadable()


def _following(polled: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> dict[str, int]:
    return {place(partition): records[-1].offset + 1 for partition, records in polled.items()}
