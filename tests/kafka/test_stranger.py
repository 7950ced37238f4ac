"""A stranger with another client: JSON on one topic, decisions on three, failures on `alerts`; nothing else known."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer
from support.outside import PATIENCE_SECONDS, Outside, outside_of
from support.processes import running_worker

pytestmark = pytest.mark.kafka

OUTCOMES = ("approve", "block", "review")
# What a decision says that somebody may rely on, with what it may be.
PROMISED: dict[str, type | tuple[type, ...]] = {
    "decision_id": str,
    "transaction_id": str,
    "pan_token": str,
    "outcome": str,
    "risk_score": (float, type(None)),
    "confidence": (float, type(None)),
    "credibility": (float, type(None)),
    "decision_source": str,
    "fallback_reason": (str, type(None)),
    "reason_codes": list,
    "rule_hits": list,
    "rule_outcome": str,
    "model_version": (str, type(None)),
    "ruleset_version": str,
    "event_time": str,
    "received_at": str,
    "decided_at": str,
    "age_ms": int,
    "deadline_missed": bool,
    "amount_minor": int,
    "currency": str,
    "merchant_id": str,
    "schema_version": int,
}


@pytest.fixture(scope="module")
def installation(bootstrap: str) -> Iterator[Outside]:
    with (
        outside_of(bootstrap, "stranger.") as outside,
        running_worker(bootstrap, outside.prefix, **outside.variables()),
    ):
        yield outside


def payment(**changes: Any) -> dict[str, Any]:
    return {
        "transaction_id": f"tx_{uuid4().hex}",
        "event_time": datetime.now(UTC).isoformat(),
        "pan_token": "tok_stranger",
        "amount_minor": 4_999,
        "currency": "EUR",
        "merchant_id": "mer_books",
    } | changes


def produce(producer: Producer, topic: str, *payments: dict[str, Any]) -> None:
    for each in payments:
        producer.produce(topic, json.dumps(each).encode(), key=each["pan_token"])
    assert producer.flush(PATIENCE_SECONDS) == 0


def decisions_of(installation: Outside, mine: Iterable[str], wanted: int) -> list[tuple[str, dict[str, Any]]]:
    """Topics and decisions of my payments, read as a member of a group of one's own."""
    consumer = Consumer(
        {
            "bootstrap.servers": installation.bootstrap,
            "group.id": f"stranger-{uuid4().hex}",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe(decision_topics(installation))
    mine = set(mine)
    found: list[tuple[str, dict[str, Any]]] = []
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    try:
        while len(found) < wanted and time.monotonic() < give_up_at:
            message = consumer.poll(0.2)
            if message is None or message.error():
                continue
            record = json.loads(message.value())
            if record["transaction_id"] in mine:
                assert message.key() == record["pan_token"].encode()
                found.append((message.topic(), record))
    finally:
        consumer.close()
    return found


def decision_topics(installation: Outside) -> list[str]:
    return [f"{installation.prefix}decisions.{outcome}" for outcome in OUTCOMES]


def test_payments_sent_as_json_come_back_as_decisions_on_the_topic_of_their_outcome(installation: Outside) -> None:
    sent = {each["transaction_id"]: each for each in (payment(amount_minor=1_000 + number) for number in range(20))}
    sent |= {each["transaction_id"]: each for each in (payment(pan_token=f"tok_test_{each}") for each in OUTCOMES)}
    produce(
        Producer({"bootstrap.servers": installation.bootstrap}), f"{installation.prefix}transactions", *sent.values()
    )

    decided = decisions_of(installation, sent, len(sent))

    assert Counter(decision["transaction_id"] for _, decision in decided) == Counter(sent.keys())
    assert {topic for topic, _ in decided} == set(decision_topics(installation))
    for topic, decision in decided:
        assert topic == f"{installation.prefix}decisions.{decision['outcome']}"
        assert decision["amount_minor"] == sent[decision["transaction_id"]]["amount_minor"]
        wrong = {name for name, kind in PROMISED.items() if not isinstance(decision.get(name, ...), kind)}
        assert wrong == set()


def test_a_failure_is_told_on_the_alerts_topic(installation: Outside) -> None:
    sent = payment()
    produce(Producer({"bootstrap.servers": installation.bootstrap}), f"{installation.prefix}transactions", sent)
    installation.until(lambda: bool(installation.alerts("model")))

    [opened] = installation.alerts("model")

    assert (opened["status"], opened["reason"]) == ("open", "MODEL_COLD_START")
    assert opened["suggested_action"]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_payments_are_understood_however_they_are_compressed(installation: Outside, codec: str) -> None:
    sent = {each["transaction_id"]: each for each in (payment() for _ in range(50))}
    producer = Producer({"bootstrap.servers": installation.bootstrap, "compression.type": codec, "linger.ms": 50})
    produce(producer, f"{installation.prefix}transactions", *sent.values())

    decided = decisions_of(installation, sent, len(sent))

    assert Counter(decision["transaction_id"] for _, decision in decided) == Counter(sent.keys())


@pytest.mark.parametrize("codec", ["none", "lz4"])
def test_what_a_producer_took_back_is_not_decided(installation: Outside, codec: str) -> None:
    topic = f"{installation.prefix}transactions"
    taken_back, meant = [payment() for _ in range(10)], [payment() for _ in range(10)]
    producer = Producer(
        {
            "bootstrap.servers": installation.bootstrap,
            "transactional.id": f"stranger-{uuid4().hex}",
            "compression.type": codec,
        }
    )
    producer.init_transactions(PATIENCE_SECONDS)
    producer.begin_transaction()
    produce(producer, topic, *taken_back)
    producer.abort_transaction(PATIENCE_SECONDS)
    producer.begin_transaction()
    produce(producer, topic, *meant)
    producer.commit_transaction(PATIENCE_SECONDS)
    after = [payment()]
    produce(Producer({"bootstrap.servers": installation.bootstrap}), topic, *after)

    mine = (each["transaction_id"] for each in (*taken_back, *meant, *after))
    decided = decisions_of(installation, mine, len(meant) + len(after))

    assert Counter(each["transaction_id"] for _, each in decided) == Counter(
        each["transaction_id"] for each in (*meant, *after)
    )
    assert installation.audit().holds
