"""Operating commands against a real broker and a real worker."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from msgspec import structs
from support.processes import Running, environment_of, running_worker
from support.strangers import create_topic
from support.wire_samples import a_decision
from typer.testing import CliRunner, Result

from models.simulator.policy import TrafficPolicy
from rules.decision import InputPosition, Outcome
from streams.auditing.audit import audit_topics
from streams.broker import topic_admin
from streams.broker.clients import sender
from streams.broker.topic_admin import TopicsWrong, require_topics
from streams.broker.topics import Topic, name_of
from streams.operating import audit_command, deciding_one, rules_commands, simulate_command, topics_commands, watching
from streams.operating.rules_commands import shipped_rules
from streams.operating.simulating import simulate
from streams.settings import Settings, load_settings
from streams.wire.codec import write_decision

Call = Callable[..., Result]
Watch = Callable[..., "subprocess.Popen[bytes]"]

pytestmark = pytest.mark.kafka

FEW = TrafficPolicy(cards=300, merchants=600)
PARTITIONS = "2"


@pytest.fixture
def prefix(topic_prefix: str) -> str:
    return topic_prefix


@pytest.fixture
def settings(bootstrap: str, prefix: str) -> Settings:
    return load_settings(None, environment_of(bootstrap, prefix, topics_partitions=PARTITIONS))


@pytest.fixture
def topics(call: Call) -> None:
    assert call("topics", "create").exit_code == 0


@pytest.fixture
def worker(bootstrap: str, prefix: str, topics: None) -> Iterator[Running]:
    with running_worker(bootstrap, prefix, topics_partitions=PARTITIONS) as started:
        yield started


@pytest.fixture
def call(bootstrap: str, prefix: str) -> Iterator[Call]:
    """Call a command of `holdfast` in this process, with this test's topics."""
    runner = CliRunner(env=environment_of(bootstrap, prefix, topics_partitions=PARTITIONS))

    def called(*arguments: str, given: bytes | None = None) -> Result:
        # In a thread, because an asynchronous test has a running loop in its own.
        result = threads.submit(runner.invoke, _commands(), arguments, input=given).result()
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    with ThreadPoolExecutor(max_workers=1) as threads:
        yield called


def _commands() -> typer.Typer:
    app = typer.Typer()
    app.add_typer(topics_commands.app, name="topics")
    app.add_typer(watching.app, name="watch")
    app.add_typer(rules_commands.app, name="rules")
    app.command("audit")(audit_command.audit)
    app.command("decide")(deciding_one.decide)
    app.command("simulate")(simulate_command.simulate)
    return app


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.05)


def payment(token: str, **changes: object) -> bytes:
    return json.dumps(
        {"pan_token": token, "amount_minor": 1250, "currency": "EUR", "merchant_id": "mer_1"} | changes
    ).encode()


async def send(settings: Settings, topic: Topic, value: bytes, key: bytes = b"tok_1") -> InputPosition:
    name = name_of(topic, settings.topics)
    async with sender(settings.broker) as producer:
        place = await producer.send_and_wait(name, key=key, value=value)
    return InputPosition(topic=name, partition=place.partition, offset=place.offset)


async def send_transaction(settings: Settings, transaction_id: str, token: str = "tok_1") -> InputPosition:
    now = datetime.now(UTC).isoformat()
    value = payment(token, transaction_id=transaction_id, event_time=now)
    return await send(settings, Topic.TRANSACTIONS, value, key=token.encode())


def decision_of(transaction_id: str, place: InputPosition) -> bytes:
    return write_decision(
        structs.replace(a_decision(), transaction_id=transaction_id, input=place, outcome=Outcome.APPROVE)
    )


# topics


def test_topics_are_created_once_and_then_right(call: Call) -> None:
    first, again, checked = call("topics", "create"), call("topics", "create"), call("topics", "check", "--json")
    assert (first.exit_code, again.exit_code, checked.exit_code) == (0, 0, 0)
    assert {row["state"] for row in json.loads(checked.stdout)["topics"]} == {"right"}


def test_missing_topics_are_named_one_to_a_line(call: Call, prefix: str) -> None:
    checked = call("topics", "check")
    assert checked.exit_code == 1
    assert f"{prefix}transactions: is missing" in checked.stdout
    assert checked.stdout.count("is missing") == len(Topic)


async def test_a_wrong_existing_topic_is_reported_and_not_used(call: Call, bootstrap: str, settings: Settings) -> None:
    create_topic(bootstrap, name_of(Topic.TRANSACTIONS, settings.topics), partitions=3)
    await until(lambda: "has 3 partitions" in call("topics", "check").stdout)
    created = call("topics", "create", "--json")
    assert created.exit_code == 1
    told = json.loads(created.stdout)
    assert told["created"] == []
    states = {row["topic"]: row["state"] for row in told["topics"]}
    assert states.pop(name_of(Topic.TRANSACTIONS, settings.topics)) == "wrong"
    assert set(states.values()) == {"missing"}
    with pytest.raises(TopicsWrong, match="has 3 partitions, not 2"):
        await require_topics(settings)
    with pytest.raises(TopicsWrong):
        await simulate(settings, rate=10.0, seconds=1.0, policy=FEW)


def test_topics_that_the_cluster_cannot_hold_are_not_said_to_be_created(
    bootstrap: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_admin, "LEADERS_SECONDS", 2.0)
    three_brokers = environment_of(bootstrap, prefix, topics_replication_factor="3")
    created = CliRunner(env=three_brokers).invoke(_commands(), ["topics", "create", "--json"])
    assert created.exit_code == 1
    assert json.loads(created.stdout)["created"] == []


# decide


def test_each_test_token_forces_its_path_and_its_exit_code(call: Call, worker: Running) -> None:
    codes = {"tok_test_approve": 0, "tok_test_review": 10, "tok_test_block": 11}
    assert {token: call("decide", given=payment(token)).exit_code for token in codes} == codes


def test_a_decision_is_readable_and_says_what_was_filled_in(call: Call, worker: Running) -> None:
    decided = call("decide", given=payment("tok_test_block"))
    assert "filled in: transaction_id cli-" in decided.stderr
    assert "BLOCK" in decided.stdout
    assert "SANDBOX" in decided.stdout
    assert "12.50 EUR" in decided.stdout


def test_a_fallback_is_decided_without_the_model_and_says_why(call: Call, worker: Running) -> None:
    decided = call("decide", "--json", given=payment("tok_test_slow"))
    assert json.loads(decided.stdout)["fallback_reason"] == "RESPONSE_TIMEOUT"
    assert json.loads(decided.stdout)["risk_score"] is None


def test_a_bad_record_is_answered_with_its_dead_letter(call: Call, worker: Running) -> None:
    refused = call("decide", given=payment("tok_1", amount_minor=-5))
    assert refused.exit_code == 12
    assert "AMOUNT_OUT_OF_RANGE" in refused.stdout


def test_without_a_worker_there_is_no_decision_in_time(call: Call, topics: None) -> None:
    assert call("decide", "--wait", "300ms", given=payment("tok_1")).exit_code == 3


def test_a_card_number_is_not_even_sent(call: Call, topics: None) -> None:
    refused = call("decide", given=payment("tok_1", note="4111111111111111"))
    assert refused.exit_code == 2
    assert "card number" in refused.stderr
    assert "4111111111111111" not in refused.stderr


# watch


@pytest.fixture
def watch(bootstrap: str, prefix: str) -> Iterator[Watch]:
    """`holdfast watch` in a process of its own."""
    started = []

    def start(*arguments: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-c", "from streams.operating.watching import app; app()", *arguments],
            env=os.environ | environment_of(bootstrap, prefix, topics_partitions=PARTITIONS),
            stdout=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_decisions_are_watched_live_until_the_count_is_reached(watch: Watch, call: Call, worker: Running) -> None:
    watching_ = watch("decisions", "--json", "--outcome", "block", "--count", "1")
    give_up_at = time.monotonic() + 20
    while watching_.poll() is None and time.monotonic() < give_up_at:  # it takes a moment to look
        call("decide", given=payment("tok_test_approve"))
        call("decide", given=payment("tok_test_block"))
    printed, _ = watching_.communicate(timeout=5)
    assert watching_.returncode == 0
    assert [json.loads(line)["outcome"] for line in printed.splitlines()] == ["block"]


async def test_ctrl_c_is_a_good_end_of_watching(watch: Watch, settings: Settings, topics: None) -> None:
    await send(settings, Topic.APPROVE, decision_of("seen", InputPosition(topic="t", partition=0, offset=0)))
    watching_ = watch("decisions", "--from-beginning")
    assert watching_.stdout is not None
    assert b"seen" in await asyncio.to_thread(watching_.stdout.readline)
    watching_.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(watching_.wait, 60) == 0


def test_past_decisions_are_shown_one_to_a_line(call: Call, worker: Running) -> None:
    call("decide", given=payment("tok_test_review"))
    shown = call("watch", "decisions", "--from-beginning", "--count", "1")
    assert shown.exit_code == 0
    [line] = shown.stdout.splitlines()
    assert "review" in line
    assert "12.50 EUR" in line


def test_alerts_say_what_is_wrong_and_what_to_do(call: Call, worker: Running) -> None:
    call("decide", given=payment("tok_1", currency="euros"))
    shown = call("watch", "alerts", "--from-beginning", "--count", "1")
    assert "open" in shown.stdout
    assert "DEAD_LETTER" in shown.stdout
    assert "tell the producer" in shown.stdout


# audit


async def test_an_audit_of_real_traffic_with_bad_records_and_repeats_holds(
    call: Call, settings: Settings, worker: Running
) -> None:
    sent = await simulate(settings, rate=400.0, seconds=None, count=1_000, policy=FEW, bad=0.1)
    for _ in range(3):
        await send(settings, Topic.TRANSACTIONS, REPEATED, key=b"tok_test_approve")
    audited = call("audit", "--json", "--wait", "30s")
    told = json.loads(audited.stdout)
    assert (audited.exit_code, told["unaccounted"], told["decided_twice"], told["in_flight"]) == (0, 0, 0, 0)
    assert told["dead_letters"] == sent.bad_sent > 100
    assert told["duplicates"] == 2
    assert told["decided"] == sent.sent + 1
    assert sent.blocked > 0
    assert sent.labels_sent > 0  # in so short a run there are labels only of what was heard to be decided


REPEATED = payment("tok_test_approve", transaction_id="repeated", event_time="2026-01-02T03:04:05Z")


async def test_a_record_that_the_workers_passed_over_is_lost_and_named(
    call: Call, settings: Settings, topics: None
) -> None:
    kept = await send_transaction(settings, "kept")
    await send(settings, Topic.REVIEW, decision_of("kept", kept))
    lost = await send_transaction(settings, "lost")
    unread = (await audit_topics(settings, wait_seconds=0.0)).ledger
    assert (unread.decided, unread.in_flight, unread.unaccounted) == (1, 1, 0)
    await commit(settings, lost)
    audited = call("audit", "--wait", "0s")
    assert audited.exit_code == 1
    assert f"partition {lost.partition} offset {lost.offset}: lost" in audited.stdout


async def commit(settings: Settings, read: InputPosition) -> None:
    """Say for the workers' group that a record was read."""
    from aiokafka import AIOKafkaConsumer, TopicPartition

    from streams.broker.clients import connection

    group = settings.lanes_group
    consumer = AIOKafkaConsumer(**connection(settings.broker), group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        partition = TopicPartition(read.topic, read.partition)
        consumer.assign([partition])
        await consumer.commit({partition: read.offset + 1})
    finally:
        await consumer.stop()


async def test_a_second_decision_is_found(call: Call, settings: Settings, topics: None) -> None:
    place = await send_transaction(settings, "twice")
    await send(settings, Topic.APPROVE, decision_of("twice", place))
    assert (await audit_topics(settings, wait_seconds=0.0)).holds
    await send(settings, Topic.BLOCK, decision_of("twice", place))
    audited = call("audit", "--wait", "0s", "--json")
    assert audited.exit_code == 1
    assert json.loads(audited.stdout)["decided_twice_samples"] == ["twice"]


async def test_an_audit_of_the_last_while_counts_only_that_and_knows_repeats_of_earlier(
    settings: Settings, topics: None
) -> None:
    place = await send(settings, Topic.TRANSACTIONS, REPEATED, key=b"tok_test_approve")
    await send(settings, Topic.APPROVE, decision_of("repeated", place))
    since = time.time() + 0.1
    await until(lambda: time.time() > since + 0.1)
    await send(settings, Topic.TRANSACTIONS, REPEATED, key=b"tok_test_approve")
    place = await send_transaction(settings, "late")
    await send(settings, Topic.BLOCK, decision_of("late", place))
    found = (await audit_topics(settings, since=since, wait_seconds=0.0)).ledger
    assert (found.transactions, found.decided, found.duplicates, found.unaccounted) == (2, 1, 1, 0)


async def test_a_record_that_is_no_decision_fails_the_audit(call: Call, settings: Settings, topics: None) -> None:
    await send(settings, Topic.REVIEW, b"not a decision")
    assert call("audit", "--wait", "0s").exit_code == 1


def test_an_audit_of_nothing_holds(call: Call, topics: None) -> None:
    assert call("audit", "--wait", "0s", "--last", "1h").exit_code == 0


# simulate and rules push


def test_simulated_traffic_is_sent_at_its_rate_with_labels_in_their_time(call: Call, topics: None) -> None:
    compressed = ("--time-compression", "1000000")  # a month of simulated time
    ran = call("simulate", "--rate", "300", "--seconds", "3", *compressed, "--cards", "300", "--no-react", "--json")
    told = json.loads(ran.stdout)
    assert ran.exit_code == 0
    assert 800 <= told["sent"] <= 910
    assert told["labels_sent"] > 0
    assert datetime.fromisoformat(told["simulated_to"]) <= datetime.now(UTC)


def test_a_pushed_rule_set_decides_the_next_payments(call: Call, worker: Running, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(shipped_rules().replace('version = "', 'version = "pushed-', 1))
    pushed = call("rules", "push", str(file))
    assert pushed.exit_code == 0
    assert pushed.stdout.startswith("pushed-")
    give_up_at = time.monotonic() + 10
    version = ""
    while not version.startswith("pushed-") and time.monotonic() < give_up_at:
        decided = call("decide", "--json", given=payment("tok_test_approve"))
        version = json.loads(decided.stdout)["ruleset_version"]
    assert version.startswith("pushed-")


def test_a_broken_rule_set_is_not_pushed(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("name = ")
    refused = call("rules", "push", str(file))
    assert refused.exit_code == 1
    assert "rules.toml:1:" in refused.stdout
