"""A reviewer's question leaves by HTTP and its answer comes back by HTTP, both signed, over a real Kafka."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from support.answering import answered, signature
from support.listening import Answer, Asked, listening
from support.outside import Outside, outside_of
from support.processes import environment_of, running
from support.reviews import a_store
from support.wire_samples import a_decision

from models.information import InformationChannel, InformationTopic
from rules.review_case import Reviewer
from streams.broker.topics import Topic
from streams.reviewing.desk import Desk
from streams.reviewing.store import NoSuchCase, Store
from streams.wire.codec import write_decision

pytestmark = pytest.mark.kafka

OUT, BACK = "of the questions", "of the answers"
ANN = Reviewer(name="ann")


@dataclass
class Holder:
    """Takes questions, and keeps those that are signed."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0


@pytest.fixture
def holder() -> Iterator[Holder]:
    there = Holder()

    def take(asked: Asked) -> Answer:
        body = asked.body or b""
        if asked.headers["webhook-signature"] != signature(OUT, asked.headers, body):
            return Answer(401)
        there.asked.append(json.loads(body))
        return Answer(204)

    with listening(take) as there.port:
        yield there


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as there:
        yield there


def opened(outside: Outside, store: Store, number: int) -> str:
    case_id = f"d.1.{number}"
    decision = structs.replace(
        a_decision(), decision_id=case_id, transaction_id=f"t-{number}", pan_token="tok", decided_at=datetime.now(UTC)
    )
    outside.send(write_decision(decision), key=b"tok", topic=Topic.REVIEW, partition=1)
    outside.flush()

    def is_open() -> bool:
        try:
            return bool(store.case(case_id))
        except NoSuchCase:
            return False

    outside.until(is_open)
    return case_id


def test_a_question_leaves_and_its_answer_comes_back(outside: Outside, holder: Holder, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/reviews.db"
    variables = outside.variables(
        console_store_url=url,
        console_port="0",
        console_answers_secret=BACK,
        forward_questions_url=f"http://127.0.0.1:{holder.port}/",
        forward_webhook_secret=OUT,
    )
    environment = environment_of(outside.bootstrap, outside.prefix, **variables)
    with (
        running(("-m", "streams.operating.cli", "console"), environment) as console,
        running(("-m", "streams.operating.cli", "forward"), environment) as forwarder,
        a_store(url, outside.settings.review) as store,
    ):
        desk = Desk(store, outside.settings.review, outside.settings.policy)

        def ask(number: int) -> str:
            now, case_id = datetime.now(UTC), opened(outside, store, number)
            asked = (InformationTopic.DID_YOU_PAY, InformationChannel.APP, f"Was it you, {number}?")
            desk.ask(case_id, ANN, *asked, now, until=now + timedelta(hours=1))
            return case_id

        numbers = iter(range(1, 100))
        outside.until(lambda: bool(ask(next(numbers)) and holder.asked))  # not what was asked before it ever ran
        case_id = ask(200)
        outside.until(lambda: holder.asked[-1]["subject"] == case_id)
        event = holder.asked[-1]
        assert (event["type"], event["data"]["text"]) == ("holdfast.information.requested", "Was it you, 200?")

        told = {"request_id": event["data"]["request_id"], "reply": "denied", "answered_at": event["time"]}
        assert answered(console, told, secret=BACK) == 202
        outside.until(lambda: store.case(case_id).case.answers != ())
        assert forwarder.metric("holdfast_forward_failures") == 0
    assert store.case(case_id).case.answers[0].reply == "denied"
    [record] = outside.all_of(Topic.INFORMATION_ANSWERED)
    assert json.loads(record.value() or b"")["request_id"] == event["id"]
