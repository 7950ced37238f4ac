"""A rule set held against recent decisions, read from the topics within a bound."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition

from models.daily import SECONDS_PER_DAY
from models.label import LabelSource
from models.label_trust import Testimony
from rules.back_test import BackTest, Found
from rules.decision import Decision, Outcome
from rules.ruleset import RuleSet
from streams.broker.reading import Offsets, partitions_of, places_at, stretch
from streams.broker.topics import DECISIONS, Topic
from streams.settings import Settings
from streams.wire.codec import MalformedRecord, read_decision, read_label, read_transaction

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

MOST_DECISIONS = 20_000
MOST_LABELLED = 200_000  # payments
WINDOWS = (60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0)  # seconds: the longest that is not too much


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What came of it, and which decisions it is about."""

    since: datetime
    result: BackTest


async def back_test(consumer: "AIOKafkaConsumer", settings: Settings, ruleset: RuleSet, now: datetime) -> Tested:
    """Judge the decisions of the longest of WINDOWS that has at most MOST_DECISIONS, or of the shortest."""
    since, starts, ends = await _window(consumer, settings, now.timestamp())
    decisions = await _decisions(consumer, starts, ends)
    inputs = await _inputs(consumer, decisions)
    said, complained = await _labels(consumer, settings, since)

    def found(decision: Decision) -> Found:
        testimony = said.get(decision.transaction_id)
        if testimony is not None and testimony.is_fraud is not None:
            if testimony.is_fraud:
                return Found.FRAUD
            return Found.COMPLAINT if decision.transaction_id in complained else Found.LEGITIMATE
        age = (now - decision.received_at).total_seconds()
        silent = age > settings.learner.maturity_days * SECONDS_PER_DAY and decision.outcome is not Outcome.BLOCK
        return Found.LEGITIMATE if silent else Found.UNKNOWN

    def judged() -> BackTest:
        result = BackTest()
        for decision in decisions:
            try:
                record = inputs[decision.input.topic, decision.input.partition, decision.input.offset]
                transaction = read_transaction(record.key, record.value, record.timestamp / 1000)
            except (KeyError, MalformedRecord):
                result.not_judged += 1
            else:
                result.take(decision, transaction, found(decision), ruleset, settings.policy)
        return result

    return Tested(since=datetime.fromtimestamp(since, UTC), result=await asyncio.to_thread(judged))


async def _window(consumer: "AIOKafkaConsumer", settings: Settings, now: float) -> tuple[float, Offsets, Offsets]:
    partitions = partitions_of(settings, DECISIONS.values())
    ends = dict(await consumer.end_offsets(partitions))
    since, starts = now, ends
    for window in WINDOWS:
        earlier = await places_at(consumer, partitions, now - window)
        if since < now and sum(ends[each] - earlier[each] for each in partitions) > MOST_DECISIONS:
            break
        since, starts = now - window, earlier
    return since, starts, ends


async def _decisions(consumer: "AIOKafkaConsumer", starts: Offsets, ends: Offsets) -> list[Decision]:
    made: list[Decision] = []
    async for records in stretch(consumer, starts, ends):
        for record in records:
            try:
                made.append(read_decision(record.value))
            except MalformedRecord:
                continue  # the audit reports it
        if len(made) >= 2 * MOST_DECISIONS:  # of the shortest window, at a rate beyond all others
            break
    return made


async def _inputs(consumer: "AIOKafkaConsumer", decisions: list[Decision]) -> dict[tuple[str, int, int], Any]:
    wanted = {(each.input.topic, each.input.partition, each.input.offset) for each in decisions}
    partitions = {TopicPartition(topic, partition) for topic, partition, _ in wanted}
    firsts, lasts = await consumer.beginning_offsets(list(partitions)), await consumer.end_offsets(list(partitions))
    starts, ends = dict(lasts), dict(firsts)
    for topic, partition, offset in wanted:
        each = TopicPartition(topic, partition)
        starts[each] = max(firsts[each], min(starts[each], offset))
        ends[each] = min(lasts[each], max(ends[each], offset + 1))
    found = {}
    async for records in stretch(consumer, starts, ends):
        for record in records:
            if (place := (record.topic, record.partition, record.offset)) in wanted:
                found[place] = record
    return found


async def _labels(
    consumer: "AIOKafkaConsumer", settings: Settings, since: float
) -> tuple[dict[str, Testimony], set[str]]:
    partitions = partitions_of(settings, [Topic.LABELS])
    said: dict[str, Testimony] = {}
    complained = set()
    starts = await places_at(consumer, partitions, since)
    async for records in stretch(consumer, starts, await consumer.end_offsets(partitions)):
        for record in records:
            try:
                label = read_label(record.value)
            except MalformedRecord:
                continue
            said.setdefault(label.transaction_id, Testimony()).take(label.source, label.state, settings.labels)
            if label.source is LabelSource.CUSTOMER_COMPLAINT:
                complained.add(label.transaction_id)
        if len(said) >= MOST_LABELLED:
            break
    return said, complained
