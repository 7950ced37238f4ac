"""The dead-letter topic refuses a letter: the lane stops where it is, and nothing is passed over."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from support.outside import Outside, outside_of
from support.processes import environment_of, running_worker

from streams.broker.topics import CATALOGUE, DECISIONS, Topic
from streams.crash import EXIT_INDEFINITE
from streams.operating.cli import CANNOT

pytestmark = pytest.mark.kafka

SIZE = "max.message.bytes"
TOO_SMALL, ENOUGH = 300, next(spec.max_message_bytes for spec in CATALOGUE if spec.topic is Topic.DEAD_LETTERS)
BAD = b"[" + b"1," * 1_000


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as there:
        yield there


def allow(outside: Outside, most_bytes: int) -> None:
    """Let letters be so large, and no larger."""
    admin = AdminClient({"bootstrap.servers": outside.bootstrap})
    topic = outside.name(Topic.DEAD_LETTERS)
    entry = ConfigEntry(SIZE, str(most_bytes), incremental_operation=AlterConfigOpType.SET)
    for told in admin.incremental_alter_configs(
        [ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])]
    ).values():
        told.result(20)

    def in_force() -> bool:
        [described] = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
        return int(described.result(20)[SIZE].value) == most_bytes

    outside.until(in_force)


def committed(outside: Outside, partition: int) -> int:
    """Where the workers' group stands."""
    consumer = Consumer({"bootstrap.servers": outside.bootstrap, "group.id": outside.settings.lanes_group})
    try:
        [place] = consumer.committed([TopicPartition(outside.name(Topic.TRANSACTIONS), partition)], 20)
    finally:
        consumer.close()
    return int(place.offset)


def send_bad(outside: Outside) -> int:
    """Send a record that ends as a letter, to partition 0; its offset."""
    places: list[int] = []

    def told(error: KafkaError | None, message: Message) -> None:
        assert error is None
        places.append(message.offset() or 0)

    outside.send(BAD, key=b"tok_bad", partition=0, told=told)
    outside.flush()
    return places[0]


def test_a_letter_that_cannot_be_written_stops_the_worker_and_nothing_is_lost(outside: Outside) -> None:
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()) as worker:
        paid = [outside.decided(partition=0)["transaction_id"]]
        allow(outside, TOO_SMALL)
        bad = send_bad(outside)
        paid += [outside.pay(partition=0) for _ in range(20)]
        assert worker.process.wait(60) == EXIT_INDEFINITE
        assert "MessageSizeTooLarge" in worker.said()
    assert committed(outside, 0) <= bad
    assert [each["input"]["offset"] for each in all_decisions(outside) if each["input"]["offset"] >= bad] == []
    assert outside.all_of(Topic.DEAD_LETTERS) == []

    refused = subprocess.run(
        [sys.executable, "-m", "streams.operating.cli", "worker"],
        env=os.environ | environment_of(outside.bootstrap, outside.prefix, **outside.variables()),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert refused.returncode == CANNOT
    assert f"{outside.name(Topic.DEAD_LETTERS)}: {SIZE}" in refused.stderr
    assert committed(outside, 0) <= bad

    allow(outside, ENOUGH)
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()):
        audit = outside.audit()
    assert (audit.holds, audit.ledger.in_flight) == (True, 0)
    assert sorted(each["transaction_id"] for each in all_decisions(outside)) == sorted(paid)
    assert [each.value() for each in outside.all_of(Topic.DEAD_LETTERS)] == [BAD]


def all_decisions(outside: Outside) -> list[dict[str, Any]]:
    return [json.loads(each.value() or b"") for each in outside.all_of(*DECISIONS.values())]
