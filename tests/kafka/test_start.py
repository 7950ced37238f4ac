"""Starting, ending and starting again: nothing is left open, nothing is forgotten, wrong topics are refused."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient
from support.outside import PATIENCE_SECONDS, Outside, outside_of
from support.processes import WORKER, Running, environment_of, running, running_worker

from models.features import FEATURES
from streams.broker.reading import partitions_of
from streams.broker.topics import DECISIONS, Topic
from streams.crash import EXIT_MISCONFIGURED

pytestmark = pytest.mark.kafka

HOLDFAST_WORKER = ("-m", "streams.operating.cli", "worker")
FEW_SECONDS = 15.0  # on a machine that does much else; alone it takes one


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as outside:
        yield outside


def worker_variables(outside: Outside) -> dict[str, str]:
    return environment_of(outside.bootstrap, outside.prefix, **outside.variables())


@pytest.mark.parametrize("command", [WORKER, HOLDFAST_WORKER], ids=["faust", "holdfast"])
def test_sigterm_under_load_ends_well_and_leaves_nothing_open(outside: Outside, command: tuple[str, ...]) -> None:
    with running(command, worker_variables(outside)) as worker:
        outside.decided()
        seconds = end_under_load(outside, worker)

        assert worker.process.returncode == 0
        assert seconds < FEW_SECONDS
        assert open_records(outside) == {}


def end_under_load(outside: Outside, worker: Running) -> float:
    """Pay in both partitions all the while that the worker takes to end; how long that was."""
    for number in range(2_000):
        payment = outside.payment(f"tok_{number % 50}")
        outside.send(json.dumps(payment).encode(), key=payment["pan_token"].encode())
        if number == 1_000:
            outside.until(lambda: len(outside.decisions()) > 10)
            worker.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
    outside.flush()
    worker.process.wait(PATIENCE_SECONDS)
    return time.monotonic() - began


def open_records(outside: Outside) -> dict[str, int]:
    """Records that a read-committed reader is kept from by an open transaction, where there are any."""
    topics = (*DECISIONS.values(), Topic.DEAD_LETTERS, Topic.PROFILES)
    ends = {}
    for isolation in ("read_committed", "read_uncommitted"):
        consumer = Consumer({"bootstrap.servers": outside.bootstrap, "group.id": "ends", "isolation.level": isolation})
        ends[isolation] = {
            f"{each.topic}:{each.partition}": consumer.get_watermark_offsets(
                TopicPartition(each.topic, each.partition), timeout=10
            )[1]
            for each in partitions_of(outside.settings, topics)
        }
        consumer.close()
    committed = ends["read_committed"]
    return {place: end - committed[place] for place, end in ends["read_uncommitted"].items() if end > committed[place]}


@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_a_payment_repeated_after_a_restart_is_not_decided_again(outside: Outside, end: str) -> None:
    before, after = outside.payment("tok_7"), outside.payment("tok_7")
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()) as worker:
        send(outside, before)
        outside.decision(before["transaction_id"])
        getattr(worker.process, end)()
        worker.process.wait(PATIENCE_SECONDS)
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()):
        send(outside, before)
        send(outside, after)
        told = outside.decision(after["transaction_id"])

        assert told["features"][FEATURES.index("card_history")] == 1.0
        audit = outside.audit()
        assert audit.holds
        assert (audit.ledger.decided, audit.ledger.duplicates, audit.ledger.in_flight) == (2, 1, 0)


def send(outside: Outside, payment: dict[str, object]) -> None:
    outside.send(json.dumps(payment).encode(), key=str(payment["pan_token"]).encode(), partition=0)
    outside.flush()


def test_a_card_idle_for_long_is_forgotten_and_its_profile_deleted(outside: Outside) -> None:
    long_ago = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables(lanes_profile_idle_days="1")):
        outside.pay("tok_idle", partition=0, event_time=long_ago)

        def is_forgotten() -> bool:
            outside.decision(outside.pay("tok_busy", partition=0))
            return None in profiles(outside).get(b"tok_idle", [])

        outside.until(is_forgotten)
        assert [value is None for value in profiles(outside)[b"tok_idle"]] == [False, True]
        assert None not in profiles(outside)[b"tok_busy"]


def profiles(outside: Outside) -> dict[bytes, list[bytes | None]]:
    """What the changelog says of each card, in order."""
    said: dict[bytes, list[bytes | None]] = {}
    for each in outside.all_of(Topic.PROFILES):
        said.setdefault(each.key(), []).append(each.value())
    return said


def test_the_group_is_told_how_far_its_lanes_are_while_they_run_and_at_the_end(outside: Outside) -> None:
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()):
        outside.decision(outside.pay("tok_7", partition=0))
        outside.until(lambda: group_offset(outside, 0) == 1)
        for _ in range(3):
            last = outside.pay("tok_7", partition=0)
        outside.decision(last)
    assert group_offset(outside, 0) == 4


def group_offset(outside: Outside, partition: int) -> int:
    client = AdminClient({"bootstrap.servers": outside.bootstrap})
    place = TopicPartition(outside.name(Topic.TRANSACTIONS), partition)
    asked = ConsumerGroupTopicPartitions(outside.settings.lanes_group, [place])
    [answer] = client.list_consumer_group_offsets([asked]).values()
    [found] = answer.result().topic_partitions
    return int(found.offset)


def test_committed_offsets_that_are_behind_make_nothing_be_decided_again(outside: Outside) -> None:
    """As a broker may hand them out that was killed. A card's memory of its ids does not reach as far back."""
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()):
        for _ in range(60):
            last = outside.pay("tok_7", partition=0)
        outside.decision(last)
    commit(outside, partition=0, offset=1)
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()):
        outside.decision(outside.pay("tok_7", partition=0))
    audit = outside.audit()
    assert audit.holds, audit.ledger
    assert (audit.ledger.decided, audit.ledger.duplicates) == (61, 0)


def test_committed_offsets_that_are_ahead_pass_nothing_over(outside: Outside) -> None:
    """As a broker handed one out, killed and started again, of a transaction that had been aborted."""
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()):
        outside.decided("tok_7", partition=0)
    waiting = [outside.pay("tok_7", partition=0) for _ in range(5)]
    commit(outside, partition=0, offset=4)
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables()):
        for each in waiting:
            outside.decision(each)
    audit = outside.audit()
    assert audit.holds, audit.ledger
    assert audit.ledger.decided == 6


def commit(outside: Outside, *, partition: int, offset: int) -> None:
    """Commit another offset for the workers' group, once it has no member any more."""
    client = AdminClient({"bootstrap.servers": outside.bootstrap})
    group = outside.settings.lanes_group
    place = TopicPartition(outside.name(Topic.TRANSACTIONS), partition, offset)
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        [answer] = client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [place])]).values()
        [done] = answer.result().topic_partitions
        if done.error is None:
            return
        assert time.monotonic() < give_up_at, done.error
        time.sleep(0.5)


def test_without_its_topics_a_worker_refuses_in_a_sentence(bootstrap: str, topic_prefix: str) -> None:
    said = refusal(environment_of(bootstrap, topic_prefix))

    assert said.startswith("Topics are not as they must be: ")
    assert f"{topic_prefix}transactions: is missing" in said


def test_topics_with_other_partitions_are_not_used(outside: Outside) -> None:
    said = refusal(worker_variables(outside) | {"HOLDFAST_TOPICS_PARTITIONS": "3"})

    assert f"{outside.name(Topic.PROFILES)}: has 2 partitions, not 3" in said


def refusal(environment: dict[str, str]) -> str:
    """What a worker says that ends by itself."""
    with running(WORKER, environment, await_ready=False) as worker:
        try:
            code = worker.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            pytest.fail("it goes on")
        assert code == EXIT_MISCONFIGURED
        [line] = [line for line in worker.said().splitlines() if '"refused"' in line]
        said = json.loads(line[line.index("{") :])
        return str(said["why"])
