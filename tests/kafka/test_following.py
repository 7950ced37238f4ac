"""`holdfast audit --follow` on a real broker: what lies undecided is seen while it lies, and lost ones for good."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from support.outside import Outside, outside_of
from support.processes import Running, environment_of, running, running_worker

from streams.broker.embedded import EmbeddedKafka
from streams.broker.kafka_launch import KafkaOptions
from streams.broker.topics import Topic

pytestmark = pytest.mark.kafka

GRACE_SECONDS = 3.0
PATIENCE_SECONDS = 60.0
UNACCOUNTED = "holdfast_unaccounted_transactions"
ACCOUNTED = "holdfast_accounted_transactions"
LAG = "holdfast_audit_lag_seconds"


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as there:
        yield there


@contextmanager
def following(outside: Outside, *options: str) -> Iterator[Running]:
    grace = outside.variables(audit_grace_seconds=str(GRACE_SECONDS))
    environment = environment_of(outside.bootstrap, outside.prefix, **grace)
    with running(("-m", "streams.operating.cli", "audit", "--follow", *options), environment) as auditor:
        yield auditor


@pytest.fixture
def auditor(outside: Outside) -> Iterator[Running]:
    with following(outside) as started:
        yield started


@contextmanager
def deciding(outside: Outside) -> Iterator[Running]:
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()) as worker:
        yield worker


def until(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    give_up_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up_at, f"not within {seconds:.0f} s"
        time.sleep(0.1)


def until_seen(auditor: Running, accounted: int, unaccounted: int) -> None:
    """Wait until the audit says so, and is not behind while it does."""
    until(
        lambda: (
            (auditor.metric(ACCOUNTED), auditor.metric(UNACCOUNTED)) == (accounted, unaccounted)
            and auditor.metric(LAG) < 10
        )
    )


def still_unaccounted(auditor: Running, count: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and auditor.metric(UNACCOUNTED) == count:
        time.sleep(0.2)
    return auditor.metric(UNACCOUNTED) == count


def commit_past(outside: Outside, partition: int) -> None:
    """Say for the workers, who do not run, that everything in the partition was read."""
    consumer = Consumer({"bootstrap.servers": outside.bootstrap, "group.id": outside.settings.lanes_group})
    place = TopicPartition(outside.name(Topic.TRANSACTIONS), partition)
    _, end = consumer.get_watermark_offsets(place, 10)
    place.offset = end
    consumer.commit(offsets=[place], asynchronous=False)
    consumer.close()


def test_what_waits_for_a_worker_is_unaccounted_after_the_grace_time_until_it_is_decided(
    outside: Outside, auditor: Running
) -> None:
    sent = time.monotonic()
    for _ in range(20):
        outside.pay()
    until(lambda: auditor.metric("holdfast_outstanding_transactions") == 20)
    assert auditor.metric(UNACCOUNTED) != 20 or time.monotonic() > sent + GRACE_SECONDS
    until_seen(auditor, accounted=0, unaccounted=20)
    with deciding(outside):
        until_seen(auditor, accounted=20, unaccounted=0)
    assert "all_accounted_for" in auditor.said()


def test_a_worker_that_is_stopped_shows_and_one_that_goes_on_is_forgiven(outside: Outside, auditor: Running) -> None:
    with deciding(outside) as worker:
        outside.decided()
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            for _ in range(5):
                outside.pay()
            until(lambda: auditor.metric(UNACCOUNTED) == 5)
        finally:
            os.kill(worker.pid, signal.SIGCONT)
        # The zombie may be fenced and end with 70: its successor decides then.
        until(lambda: auditor.metric(UNACCOUNTED) == 0 or not worker.alive())
    with deciding(outside):
        until_seen(auditor, accounted=6, unaccounted=0)
    assert auditor.metric("holdfast_audit_contradictions") == 0


def test_what_workers_were_made_to_pass_over_stays_unaccounted(outside: Outside, auditor: Running) -> None:
    for partition in (0, 0, 1):
        outside.pay(partition=partition)
    commit_past(outside, 0)
    with deciding(outside):
        for _ in range(10):
            outside.decided()
        until_seen(auditor, accounted=11, unaccounted=2)
        assert still_unaccounted(auditor, 2, 2 * GRACE_SECONDS)
    with following(outside) as successor:  # another one finds them again
        until(lambda: successor.metric(UNACCOUNTED) == 2)


def test_repeats_dead_letters_and_records_taken_back_are_accounted_for(outside: Outside, auditor: Running) -> None:
    with deciding(outside):
        payment = outside.payment("tok_1")
        for _ in range(3):
            outside.send(json.dumps(payment).encode(), key=b"tok_1")
        outside.send(b"no payment", key=b"tok_1")
        outside.flush()
        _take_back(outside, b"tok_1")
        outside.decided("tok_1")
        until_seen(auditor, accounted=5, unaccounted=0)
    assert auditor.metric("holdfast_outstanding_transactions") == 0
    assert auditor.metric("holdfast_audit_contradictions") == 0
    assert outside.audit().ledger.duplicates == 2


def _take_back(outside: Outside, key: bytes) -> None:
    """Records of a producer that aborts its transaction."""
    producer = Producer({"bootstrap.servers": outside.bootstrap, "transactional.id": f"{outside.prefix}taken-back"})
    producer.init_transactions(PATIENCE_SECONDS)
    producer.begin_transaction()
    for _ in range(3):
        producer.produce(outside.name(Topic.TRANSACTIONS), b"taken back", key)
    producer.flush(PATIENCE_SECONDS)
    producer.abort_transaction(PATIENCE_SECONDS)


def test_what_is_deleted_unread_is_told_and_not_called_lost(outside: Outside, auditor: Running) -> None:
    for partition in (0, 1):
        outside.pay(partition=partition)
    until(lambda: auditor.metric(UNACCOUNTED) == 2)
    os.kill(auditor.pid, signal.SIGSTOP)
    try:
        time.sleep(1.0)  # what it had asked for before is answered, with nothing
        for _ in range(7):
            outside.pay(partition=0)
        _delete(outside, partition=0, below=6)
    finally:
        os.kill(auditor.pid, signal.SIGCONT)
    until(lambda: auditor.metric("holdfast_audit_skipped_records") == 5)
    outside.pay(partition=0)
    until(lambda: auditor.metric(UNACCOUNTED) == 5)  # two read before, two and one behind the gap
    assert "deleted_unread" in auditor.said()


def _delete(outside: Outside, *, partition: int, below: int) -> None:
    admin = AdminClient({"bootstrap.servers": outside.bootstrap})
    told = admin.delete_records([TopicPartition(outside.name(Topic.TRANSACTIONS), partition, below)])
    for each in told.values():
        each.result(PATIENCE_SECONDS)


def test_a_record_that_is_no_decision_is_a_contradiction(outside: Outside, auditor: Running) -> None:
    outside.send(b"no decision", key=b"tok_1", topic=Topic.REVIEW)
    outside.flush()
    until(lambda: auditor.metric("holdfast_audit_contradictions") == 1)


def test_sigterm_is_a_good_end(auditor: Running) -> None:
    auditor.process.terminate()
    assert auditor.process.wait(10) == 0
    assert "process_stopped" in auditor.said()


def test_through_an_outage_of_the_broker_it_goes_on_counting_and_says_how_old_that_is(
    tmp_path: Path, topic_prefix: str
) -> None:
    with (
        EmbeddedKafka(tmp_path, KafkaOptions(heap_mb=512)) as broker,
        outside_of(broker.bootstrap, topic_prefix) as outside,
        following(outside) as auditor,
    ):
        outside.pay()
        until(lambda: auditor.metric(UNACCOUNTED) == 1)
        broker.stop()
        until(lambda: auditor.metric(LAG) > 12)  # longer than it waits for an answer
        assert auditor.metric(UNACCOUNTED) == 1
        broker.start()
        outside.pay()
        until(lambda: auditor.metric(UNACCOUNTED) == 2 and auditor.metric(LAG) < 5)
        with deciding(outside):
            until_seen(auditor, accounted=2, unaccounted=0)
