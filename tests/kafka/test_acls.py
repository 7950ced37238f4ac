"""deploy/kafka/acls.sh grants each process what it needs, and does not grant what is another's."""

import argparse
import asyncio
import itertools
import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from support.answering import answered
from support.listening import Answer, Asked, listening
from support.processes import environment_of, running, running_worker
from support.reviews import a_store

from models.information import InformationChannel, InformationTopic
from rules.review_case import Reviewer
from streams.auditing.audit import audit_topics
from streams.broker.clients import reader
from streams.broker.embedded import EmbeddedKafka
from streams.broker.kafka_configuration import SINGLE_NODE, choose_ports
from streams.broker.kafka_launch import KafkaOptions
from streams.broker.topic_admin import check_topics, create_topics
from streams.letters.letter import Choice
from streams.letters.purge import delete, purge_of
from streams.letters.replay import replay_letters
from streams.reviewing.desk import Desk
from streams.settings import Settings, load_settings

pytestmark = pytest.mark.kafka

SCRIPT = Path(__file__).parents[2] / "deploy/kafka/acls.sh"
PREFIX = "acl."
PARTITIONS = "2"
PASSWORD = "s3cret"
PRINCIPALS = (
    *("admin", "worker", "learner", "console", "forwarder", "auditor"),
    *("producer", "consumer", "operator"),
)
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
SECONDS = 60.0


class Guarded:
    """A broker that lets each principal do what it was granted."""

    def __init__(self, address: str) -> None:
        self.address = address

    def settings(self, principal: str) -> Settings:
        return load_settings(None, environment_of(self.address, PREFIX, **self.variables(principal)))

    def variables(self, principal: str) -> dict[str, str]:
        """For a process of the product that logs in as `principal`."""
        return {
            "broker_security_protocol": "SASL_PLAINTEXT",
            "broker_sasl_username": f"holdfast-{principal}",
            "broker_sasl_password": PASSWORD,
            "topics_partitions": PARTITIONS,
            "learner_publish_interval_seconds": "0.2",
        }

    def client(self, principal: str, **more: str) -> dict[str, str]:
        """For confluent-kafka."""
        return {
            "bootstrap.servers": self.address,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": f"holdfast-{principal}",
            "sasl.password": PASSWORD,
        } | more

    def send(self, principal: str, topic: str, value: bytes, key: bytes | None = None) -> KafkaError | None:
        """Send one record; the refusal, if it was refused."""
        told: list[KafkaError | None] = []
        producer = Producer(self.client(principal))
        producer.produce(PREFIX + topic, value, key, on_delivery=lambda error, _: told.append(error))
        assert producer.flush(SECONDS) == 0
        return told[0]

    def read(self, principal: str, *topics: str, group: str = "holdfast-acl.consumer-test") -> Message:
        """The first record of any of the topics."""
        consumer = Consumer(
            self.client(principal)
            | {"group.id": group, "auto.offset.reset": "earliest", "isolation.level": "read_committed"}
        )
        consumer.subscribe([PREFIX + topic for topic in topics])
        try:
            return _first(consumer)
        finally:
            consumer.close()

    async def read_as_operator(self, topic: str) -> bytes:
        """The first value of a topic of one partition, read as the product's commands do: without a group."""
        consumer = reader(self.settings("operator").broker)
        async with consumer:
            consumer.assign([TopicPartition(PREFIX + topic, 0)])
            async with asyncio.timeout(SECONDS):
                record = await consumer.getone()
        return bytes(record.value)


def _first(consumer: Consumer) -> Message:
    [message] = consumer.consume(1, SECONDS)
    if message.error() is not None:
        raise KafkaException(message.error())
    return message


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    port = choose_ports(None).clients
    users = " ".join(f'user_holdfast-{principal}="{PASSWORD}"' for principal in PRINCIPALS)
    properties = {
        "listener.security.protocol.map": SINGLE_NODE["listener.security.protocol.map"] + ",GUARDED:SASL_PLAINTEXT",
        "listener.name.guarded.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.guarded.plain.sasl.jaas.config": f"{LOGIN} {users};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",  # the broker itself, and who grants
    }
    options = KafkaOptions(heap_mb=512, listeners={"GUARDED": port}, properties=properties)
    with EmbeddedKafka(tmp_path_factory.mktemp("guarded"), options) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})  # kept: one that is let go gives up its requests
        for each in admin.create_acls(list(_granted())).values():
            each.result(SECONDS)
        yield Guarded(f"127.0.0.1:{port}")


def _granted() -> Iterator[AclBinding]:
    """What the script's commands grant, as kafka-acls.sh understands them."""
    variables = {"HOLDFAST_TOPICS_PREFIX": PREFIX, "HOLDFAST_TOPICS_PARTITIONS": PARTITIONS, "PATH": "/usr/bin:/bin"}
    commands = subprocess.run([SCRIPT], env=variables, capture_output=True, text=True, check=True).stdout
    option = argparse.ArgumentParser()
    option.add_argument("--add", action="store_true", required=True)
    option.add_argument("--allow-principal", required=True)
    option.add_argument("--resource-pattern-type", default="literal")
    for name in ("--operation", "--topic", "--group", "--transactional-id"):
        option.add_argument(name, action="append", default=[])
    for command in commands.splitlines():
        told = option.parse_args(shlex.split(command)[1:])
        pattern = ResourcePatternType[told.resource_pattern_type.upper()]
        named = [
            *((ResourceType.TOPIC, name) for name in told.topic),
            *((ResourceType.GROUP, name) for name in told.group),
            *((ResourceType.TRANSACTIONAL_ID, name) for name in told.transactional_id),
        ]
        for (kind, name), operation in itertools.product(named, told.operation):
            does = AclOperation[operation.replace("Configs", "_Configs").upper()]
            yield AclBinding(kind, name, pattern, told.allow_principal, "*", does, AclPermissionType.ALLOW)


@pytest.fixture(scope="module")
def topics(guarded: Guarded) -> None:
    asyncio.run(create_topics(guarded.settings("admin")))


@pytest.fixture(scope="module")
def decided(guarded: Guarded, topics: None) -> Iterator[dict[str, Any]]:
    """A decision, made while a worker and a learner run with their own rights."""
    learner = environment_of(guarded.address, PREFIX, **guarded.variables("learner"))
    with (
        running_worker(guarded.address, PREFIX, **guarded.variables("worker")),
        running(("-m", "streams.operating.cli", "learner"), learner),
    ):
        pay(guarded, 1)
        decisions = [f"decisions.{outcome}" for outcome in ("approve", "block", "review")]
        yield json.loads(guarded.read("consumer", *decisions).value())


def pay(guarded: Guarded, number: int, *, amount_minor: int = 1250) -> None:
    payment = {
        "transaction_id": f"tx_{number}",
        "event_time": datetime.now(UTC).isoformat(),
        "pan_token": f"tok_{number}",
        "amount_minor": amount_minor,
        "currency": "EUR",
        "merchant_id": "mer_1",
    }
    assert guarded.send("producer", "transactions", json.dumps(payment).encode(), f"tok_{number}".encode()) is None


async def test_the_admin_may_create_and_check_topics(guarded: Guarded, topics: None) -> None:
    assert await check_topics(guarded.settings("admin")) == []


async def test_the_operator_may_check_topics(guarded: Guarded, topics: None) -> None:
    assert await check_topics(guarded.settings("operator")) == []


def test_a_worker_may_decide_and_a_consumer_read_it(decided: dict[str, Any]) -> None:
    assert decided["transaction_id"] == "tx_1"


def test_a_worker_may_put_dead_letters_aside(guarded: Guarded, decided: dict[str, Any]) -> None:
    assert guarded.send("producer", "transactions", b"no payment", b"tok_1") is None
    assert guarded.read("consumer", "transactions.DLT").value() == b"no payment"


def test_a_worker_may_raise_an_alert(guarded: Guarded, decided: dict[str, Any]) -> None:
    assert b"MODEL_COLD_START" in guarded.read("consumer", "alerts").value()


async def test_the_learner_may_learn_and_publish(guarded: Guarded, decided: dict[str, Any]) -> None:
    now = datetime.now(UTC).isoformat()
    label = {
        "label_id": "label_1",
        "transaction_id": "tx_1",
        "source": "chargeback",
        "state": "fraud",
        "effective_at": now,
        "received_at": now,
    }
    assert guarded.send("producer", "labels", json.dumps(label).encode(), b"tx_1") is None
    for topic in ("models", "learner-state", "merchant-risk"):
        assert await guarded.read_as_operator(topic)


def test_the_console_may_ask_the_forwarder_pass_it_on_and_the_console_take_the_answer(
    guarded: Guarded, decided: dict[str, Any], tmp_path: Path
) -> None:
    url, settings, ann = f"sqlite:///{tmp_path}/reviews.db", guarded.settings("console"), Reviewer(name="ann")
    asked: list[dict[str, Any]] = []

    def take(request: Asked) -> Answer:
        asked.append(json.loads(request.body or b""))
        return Answer(204)

    with listening(take) as port:
        at_console = {"console_store_url": url, "console_port": "0", "console_answers_secret": "back"}
        pages = environment_of(guarded.address, PREFIX, **guarded.variables("console"), **at_console)
        there = {"forward_questions_url": f"http://127.0.0.1:{port}/"}
        passing = environment_of(guarded.address, PREFIX, **guarded.variables("forwarder"), **there)
        with (
            running(("-m", "streams.operating.cli", "console"), pages) as console,
            running(("-m", "streams.operating.cli", "forward"), passing),
            a_store(url, settings.review) as store,
        ):
            desk, give_up_at = Desk(store, settings.review, settings.policy), time.monotonic() + SECONDS
            for number in itertools.count(100):  # what was asked before the forwarder ever ran is not sent
                pay(guarded, number, amount_minor=60_000)  # more than rules may approve alone
                time.sleep(0.5)
                now = datetime.now(UTC)
                if case := desk.take_next("reviews", ann, now):
                    question = (InformationTopic.DID_YOU_PAY, InformationChannel.APP, "Was it you?")
                    desk.ask(case.case_id, ann, *question, now, until=now + timedelta(hours=1))
                if asked:
                    break
                assert time.monotonic() < give_up_at
            event = asked[0]
            told = {"request_id": event["id"], "reply": "confirmed", "answered_at": event["time"]}
            assert answered(console, told, secret="back") == 202
            while store.case(event["subject"]).case.answers == ():
                assert time.monotonic() < give_up_at
                time.sleep(0.1)


async def test_the_operator_may_send_letters_again_and_delete_them(guarded: Guarded, decided: dict[str, Any]) -> None:
    assert guarded.send("producer", "transactions", b"no payment either", b"tok_1") is None
    operator, give_up_at = guarded.settings("operator"), time.monotonic() + SECONDS
    while (await replay_letters(operator, Choice())).sent == 0:
        assert time.monotonic() < give_up_at
    purge = await purge_of(operator, older_than=0.0)
    assert purge.count >= 1
    await delete(operator, purge)
    assert (await purge_of(operator, older_than=0.0)).count <= 1  # the one that was sent again, if it is here already


def test_the_auditor_may_follow_what_is_decided(guarded: Guarded, decided: dict[str, Any]) -> None:
    environment = environment_of(guarded.address, PREFIX, **guarded.variables("auditor"))
    with running(("-m", "streams.operating.cli", "audit", "--follow"), environment) as auditor:
        give_up_at = time.monotonic() + SECONDS
        while auditor.metric("holdfast_accounted_transactions") == 0:
            assert time.monotonic() < give_up_at
            time.sleep(0.2)


async def test_the_operator_may_audit(guarded: Guarded, decided: dict[str, Any]) -> None:
    assert (await audit_topics(guarded.settings("operator"), wait_seconds=SECONDS)).ledger.decided >= 1


@pytest.mark.parametrize(
    ("principal", "topic"),
    [
        ("producer", "decisions.approve"),
        ("learner", "decisions.approve"),
        ("auditor", "decisions.approve"),
        ("worker", "models"),
        ("consumer", "labels"),
    ],
)
def test_nobody_writes_what_is_anothers_to_say(guarded: Guarded, topics: None, principal: str, topic: str) -> None:
    refusal = guarded.send(principal, topic, b"forged")
    assert refusal is not None
    assert refusal.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_consumer_cannot_join_the_lanes(guarded: Guarded, decided: dict[str, Any]) -> None:
    with pytest.raises(KafkaException, match="GROUP_AUTHORIZATION_FAILED"):
        guarded.read("consumer", "decisions.approve", group="holdfast-acl.lanes")


@pytest.mark.parametrize("principal", ["learner", "producer"])
def test_only_a_worker_can_fence_a_lane(guarded: Guarded, topics: None, principal: str) -> None:
    producer = Producer(guarded.client(principal, **{"transactional.id": "holdfast-acl.0"}))
    with pytest.raises(KafkaException, match="TRANSACTIONAL_ID_AUTHORIZATION_FAILED"):
        producer.init_transactions(SECONDS)
