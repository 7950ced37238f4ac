"""Decisions held against labels: what is known of a payment, what is not yet, and what never will be."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import TopicPartition
from msgspec import structs
from support.in_memory_topics import InMemoryTopics
from support.records import consumed
from support.wire_samples import a_decision, a_label

from models.label import LabelSource, LabelState
from rules.appraisal import NothingToAppraise
from rules.decision import Outcome
from streams.broker.topics import DECISIONS, Topic, name_of
from streams.overseeing.topic_history import TopicHistory, taken_in
from streams.settings import Settings
from streams.wire.codec import write_decision, write_label

BEGIN = datetime(2026, 1, 2, 6, tzinfo=UTC)
WEEK = 7 * 86_400.0


def a_history(*days: float, **changes: object) -> TopicHistory:
    """A decision on each of these days, `t-0` and on."""
    history = TopicHistory()
    for number, day in enumerate(days):
        made = structs.replace(
            a_decision(),
            **{
                "transaction_id": f"t-{number}",
                "event_time": BEGIN + timedelta(days=day),
                "outcome": Outcome.APPROVE,
                **changes,
            },
        )
        history.take_decision(write_decision(made))
    return history


def say(history: TopicHistory, number: int, state: LabelState, source: LabelSource = LabelSource.CHARGEBACK) -> None:
    history.take_label(write_label(replace(a_label(), transaction_id=f"t-{number}", state=state, source=source)))


def test_silence_is_legitimate_once_labels_have_had_their_time() -> None:
    history = a_history(0.0, 1.0, 8.0)
    say(history, 0, LabelState.FRAUD)
    judged, begin, coverage = history.judged(maturity_seconds=WEEK)
    assert judged.is_fraud.tolist() == [True, False]
    assert (coverage.decisions, coverage.judged, coverage.too_young) == (3, 2, 1)
    assert begin == datetime(2026, 1, 2, tzinfo=UTC).timestamp()
    assert judged.seconds.tolist() == [6 * 3_600.0, 30 * 3_600.0]


def test_a_fraud_that_is_known_early_waits_for_the_others_of_its_day() -> None:
    history = a_history(0.0, 8.0)
    say(history, 1, LabelState.FRAUD)
    judged, _, _ = history.judged(maturity_seconds=WEEK)
    assert judged.is_fraud.tolist() == [False]


def test_of_what_was_blocked_silence_tells_nothing() -> None:
    history = a_history(0.0, 1.0, 8.0, outcome=Outcome.BLOCK)
    say(history, 1, LabelState.LEGITIMATE, LabelSource.CUSTOMER_COMPLAINT)
    judged, _, coverage = history.judged(maturity_seconds=WEEK)
    assert (judged.is_fraud.tolist(), judged.outcome.tolist()) == ([False], ["block"])
    assert coverage.blocked_unknown == 1


def test_what_was_explored_tells_of_blocks() -> None:
    history = a_history(0.0, 0.5, 1.0, 9.0, propensity=0.05)
    say(history, 0, LabelState.FRAUD)
    _, _, coverage = history.judged(maturity_seconds=WEEK)
    assert (coverage.explored, coverage.explored_good) == (3, 2)


def test_the_most_trusted_source_is_believed() -> None:
    history = a_history(0.0, 8.0)
    say(history, 0, LabelState.FRAUD)
    say(history, 0, LabelState.LEGITIMATE, LabelSource.MANUAL_REVIEW)
    judged, _, _ = history.judged(maturity_seconds=WEEK)
    assert judged.is_fraud.tolist() == [True]


def test_a_payment_counts_once_and_what_is_no_record_not_at_all() -> None:
    history = a_history(0.0, 8.0)
    history.take_decision(write_decision(structs.replace(a_decision(), transaction_id="t-0", outcome=Outcome.BLOCK)))
    for nonsense in (None, b"", b"{", b"\xff", b"[]"):
        history.take_decision(nonsense)
        history.take_label(nonsense)
    judged, _, coverage = history.judged(maturity_seconds=WEEK)
    assert (judged.outcome.tolist(), coverage.decisions, history.unreadable) == (["approve"], 2, 10)


def test_without_a_score_there_is_still_an_outcome() -> None:
    judged, _, _ = a_history(0.0, 8.0, risk_score=None).judged(maturity_seconds=WEEK)
    assert judged.probability.tolist() != judged.probability.tolist()  # not a number
    assert judged.outcome.tolist() == ["approve"]


@pytest.mark.parametrize("days", [(), (0.0,)], ids=["no decision", "too young"])
def test_nothing_known_says_so(days: tuple[float, ...]) -> None:
    with pytest.raises(NothingToAppraise):
        a_history(*days).judged(maturity_seconds=WEEK)


async def test_decisions_of_all_topics_and_their_labels_are_read() -> None:
    settings, topics = Settings(), InMemoryTopics()
    for number, (outcome, day) in enumerate(
        ((Outcome.APPROVE, 0), (Outcome.BLOCK, 1), (Outcome.REVIEW, 2), (Outcome.APPROVE, 12))
    ):
        made = structs.replace(
            a_decision(), transaction_id=f"t-{number}", outcome=outcome, event_time=BEGIN + timedelta(days=day)
        )
        where = TopicPartition(name_of(DECISIONS[outcome], settings.topics), number)
        topics.logs[where].append(consumed(write_decision(made), topic=where.topic, partition=number))
        label = replace(a_label(), transaction_id=f"t-{number}", state=LabelState.FRAUD)
        there = TopicPartition(name_of(Topic.LABELS, settings.topics), number)
        topics.logs[there].append(consumed(write_label(label), topic=there.topic, partition=number))
    history = await taken_in(topics, settings)
    judged, _, coverage = history.judged(maturity_seconds=WEEK)
    assert judged.outcome.tolist() == ["approve", "block", "review"]
    assert judged.is_fraud.tolist() == [True] * 3
    assert coverage.too_young == 1
