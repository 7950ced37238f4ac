"""The console on a real Kafka: each case has one final word on the topics, through whatever kills the console."""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from support.outside import Outside, outside_of
from support.processes import Running, environment_of, running
from support.reviews import a_store
from support.wire_samples import a_decision, a_revision

from models.information import InformationChannel, InformationTopic
from rules.complaint import ComplaintState
from rules.decision import Decision, InputPosition, Outcome
from rules.review_case import Reviewer, VerdictReason
from streams.broker.topics import DECISIONS, Topic
from streams.crash import EXIT_INDEFINITE
from streams.reviewing.desk import Desk
from streams.reviewing.store import NoSuchCase, Store
from streams.wire.codec import write_decision, write_revision

pytestmark = pytest.mark.kafka

ANN = Reviewer(name="ann")
WHY = VerdictReason.KNOWN_PATTERN
KILLS = int(os.environ.get("KILLS", "10"))
OVERDUE = timedelta(hours=5)


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as there:
        yield there


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/reviews.db"


@contextmanager
def reviewing(outside: Outside, url: str, **settings: str) -> Iterator[Running]:
    variables = outside.variables(console_store_url=url, console_sweep_seconds="0.2", console_port="0", **settings)
    environment = environment_of(outside.bootstrap, outside.prefix, **variables)
    with running(("-m", "streams.operating.cli", "console"), environment) as console:
        yield console


@pytest.fixture
def store(outside: Outside, url: str) -> Iterator[Store]:
    """The same store as the console's, beside it, as another thread of it would have it."""
    with a_store(url, outside.settings.review) as there:
        yield there


@pytest.fixture
def desk(outside: Outside, store: Store) -> Desk:
    return Desk(store, outside.settings.review, outside.settings.policy)


class Decider:
    """Writes decisions as workers would."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._numbers = count(1)

    def decide(self, times: int = 1, **changes: Any) -> list[Decision]:
        made = [structs.replace(self._decision(), **changes) for _ in range(times)]
        for each in made:
            self._outside.send(
                write_decision(each),
                key=each.pan_token.encode(),
                topic=DECISIONS[each.outcome],
                partition=each.input.partition,
            )
        self._outside.flush()
        return made

    def _decision(self) -> Decision:
        number = next(self._numbers)
        partition = number % self._outside.settings.topics.partitions
        plain = a_decision()
        return structs.replace(
            plain,
            decision_id=f"d.{partition}.{number}",
            transaction_id=f"t-{number}",
            pan_token=f"tok_{number}",
            decided_at=datetime.now(UTC),
            input=structs.replace(plain.input, partition=partition, offset=number),
        )


@pytest.fixture
def decider(outside: Outside) -> Decider:
    return Decider(outside)


def said(outside: Outside, topic: Topic) -> list[dict[str, Any]]:
    return [json.loads(each.value() or b"") for each in outside.all_of(topic)]


def finals(outside: Outside) -> list[dict[str, Any]]:
    return [each for each in said(outside, Topic.REVISED) if each["kind"] != "re_score"]


def until_final(outside: Outside, decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    """Wait until as many have a final word, each of them one."""
    outside.until(lambda: len(finals(outside)) >= len(decisions))
    found = finals(outside)
    assert Counter(each["decision_id"] for each in found) == Counter(each.decision_id for each in decisions)
    return found


def until_open(outside: Outside, store: Store, decisions: Sequence[Decision]) -> None:
    def all_open() -> bool:
        try:
            return all(store.case(each.decision_id) for each in decisions)
        except NoSuchCase:
            return False

    outside.until(all_open)


def test_a_verdict_is_on_the_topics_as_revision_and_label(
    outside: Outside, decider: Decider, url: str, store: Store, desk: Desk
) -> None:
    [decision] = decider.decide()
    decider.decide(outcome=Outcome.APPROVE)
    with reviewing(outside, url) as console:
        until_open(outside, store, [decision])
        desk.decide(decision.decision_id, ANN, Outcome.BLOCK, WHY, datetime.now(UTC))
        [revision] = until_final(outside, [decision])
        outside.until(lambda: console.metric("holdfast_review_outcomes") == 1)
    assert (revision["kind"], revision["outcome"], revision["reviewers"]) == ("verdict", "block", ["ann"])
    assert revision["decision"]["topic"] == outside.name(Topic.REVIEW)
    [label] = said(outside, Topic.LABELS)
    assert (label["transaction_id"], label["source"], label["state"]) == (
        decision.transaction_id,
        "manual_review",
        "fraud",
    )
    [record] = outside.all_of(Topic.REVISED)
    assert (record.key(), record.partition()) == (decision.pan_token.encode(), decision.input.partition)


def test_what_is_due_goes_by_its_default(outside: Outside, decider: Decider, url: str) -> None:
    overdue = decider.decide(3, decided_at=datetime.now(UTC) - OVERDUE, amount_minor=4_999)
    decider.decide()
    with reviewing(outside, url):
        for revision in until_final(outside, overdue):
            assert (revision["kind"], revision["outcome"]) == ("timeout_default", "approve")
            assert revision["reason_codes"] == ["REVIEW_OVERDUE"]
    assert said(outside, Topic.LABELS) == []


def test_information_is_asked_for_and_heard(
    outside: Outside, decider: Decider, url: str, store: Store, desk: Desk
) -> None:
    [decision] = decider.decide()
    with reviewing(outside, url) as console:
        until_open(outside, store, [decision])
        now = datetime.now(UTC)
        asked = (InformationTopic.DID_YOU_PAY, InformationChannel.APP, "Was it you?")
        desk.ask(decision.decision_id, ANN, *asked, now, until=now + timedelta(hours=1))
        outside.until(lambda: said(outside, Topic.INFORMATION_REQUESTED) != [])
        [request] = said(outside, Topic.INFORMATION_REQUESTED)
        assert (request["transaction_id"], request["text"]) == (decision.transaction_id, "Was it you?")

        for request_id in ("d.9.9.q1", request["request_id"], request["request_id"]):
            answer = {"request_id": request_id, "reply": "denied", "answered_at": now.isoformat()}
            outside.send(json.dumps(answer).encode(), key=request_id.encode(), topic=Topic.INFORMATION_ANSWERED)
        outside.send(b"{}", key=b"x", topic=Topic.INFORMATION_ANSWERED)
        outside.flush()
        outside.until(lambda: store.case(decision.decision_id).case.answers != ())
        outside.until(lambda: console.metric("holdfast_review_unreadable_records") == 1)
        assert console.metric("holdfast_information_answers_refused") == 1
        assert console.metric("holdfast_information_requests") == 1
    assert store.case(decision.decision_id).case.answers[0].reply == "denied"


def test_the_models_later_word_closes_what_nobody_has_begun(
    outside: Outside, decider: Decider, url: str, store: Store, desk: Desk
) -> None:
    unbegun, begun = decider.decide(2)
    with reviewing(outside, url):
        until_open(outside, store, [unbegun, begun])
        desk.lease(begun.decision_id, ANN, datetime.now(UTC))
        for decision in (unbegun, begun):
            again = re_scored(decision)
            outside.send(again, key=b"tok", topic=Topic.REVISED, partition=decision.input.partition)
        outside.flush()
        [final] = until_final(outside, [unbegun])
        outside.until(lambda: store.case(begun.decision_id).case.re_score is not None)
    assert (final["kind"], final["decision_source"]) == ("re_score_adopted", "model")


def test_a_complaint_becomes_a_label_and_a_revision_once_it_is_upheld(
    outside: Outside, decider: Decider, url: str, store: Store
) -> None:
    [blocked, _] = decider.decide(2, outcome=Outcome.BLOCK)
    with reviewing(outside, url) as console:
        outside.until(lambda: console.metric("holdfast_stopped_payments") == 2)
        for complaint_id, transaction_id in (("c-9", "t-none"), ("c-1", blocked.transaction_id)):
            handed_in = {"complaint_id": complaint_id, "transaction_id": transaction_id}
            handed_in["complained_at"] = datetime.now(UTC).isoformat()
            outside.send(json.dumps(handed_in).encode(), key=transaction_id.encode(), topic=Topic.COMPLAINTS)
        outside.flush()
        outside.until(lambda: console.metric("holdfast_complaints") == 1)
        outside.until(lambda: console.metric("holdfast_complaints_refused") == 1)
        for _ in range(2):
            store.complaints.settle("c-1", ComplaintState.UPHELD, "ann", datetime.now(UTC))
        outside.until(lambda: console.metric("holdfast_complaints") == 2)
    [label] = said(outside, Topic.LABELS)
    assert (label["transaction_id"], label["source"], label["state"]) == (
        blocked.transaction_id,
        "customer_complaint",
        "legitimate",
    )
    [revision] = finals(outside)
    assert (revision["kind"], revision["outcome"], revision["reviewers"]) == ("complaint_upheld", "approve", ["ann"])
    assert (revision["decision_id"], revision["decided_outcome"]) == (blocked.decision_id, "block")
    told = [each for each in said(outside, Topic.COMPLAINTS) if each.get("decision_id")]
    assert Counter(each["state"] for each in told) == {"received": 1, "upheld": 1}
    assert {each["decision_id"] for each in told} == {blocked.decision_id}


def test_the_price_of_a_review_rises_while_nobody_reviews_and_the_move_is_told(
    outside: Outside, decider: Decider, url: str, store: Store
) -> None:
    waiting = decider.decide(3)
    capacity = {"capacity_most_review_minor": "400", "capacity_dwell_minutes": "0.001"}
    with reviewing(outside, url, **capacity):
        until_open(outside, store, waiting)
        outside.until(lambda: len(said(outside, Topic.REVIEW_PRICES)) == 2)
    begun, moved = said(outside, Topic.REVIEW_PRICES)
    assert (begun["data"]["reason"], begun["data"]["after_minor"]) == ("BEGUN", 300)
    assert (moved["data"]["reason"], moved["data"]["before_minor"], moved["data"]["after_minor"]) == ("SHORT", 300, 400)
    assert [(each.key(), json.loads(each.value())["review_minor"]) for each in outside.all_of(Topic.CONTROL)] == [
        (b"review_price", 300),
        (b"review_price", 400),
    ]


def re_scored(decision: Decision) -> bytes:
    return write_revision(
        replace(
            a_revision(),
            revision_id=f"{decision.decision_id}.re_score",
            decision_id=decision.decision_id,
            decision=InputPosition(topic="decisions.review", partition=decision.input.partition, offset=0),
        )
    )


@pytest.mark.timeout(1200)
def test_killed_at_any_moment_it_loses_no_verdict_and_sends_none_twice(
    outside: Outside, decider: Decider, url: str, store: Store, desk: Desk
) -> None:
    decisions = decider.decide(200 * KILLS)
    with reviewing(outside, url):
        until_open(outside, store, decisions)
    verdicts = Verdicts(desk, decisions)
    with verdicts:
        for number in range(KILLS):
            with reviewing(outside, url) as console:
                time.sleep(0.05 * (number % 7))
                console.kill()
    with reviewing(outside, url):
        until_final(outside, verdicts.given)
    assert len(verdicts.given) > KILLS
    labels = Counter(each["transaction_id"] for each in said(outside, Topic.LABELS))
    assert labels == Counter(each.transaction_id for each in verdicts.given)
    assert store.unsent(1) == []


class Verdicts:
    """Somebody who decides one case after the other for as long as the block lasts."""

    def __init__(self, desk: Desk, decisions: Sequence[Decision]) -> None:
        self.given: list[Decision] = []
        self._desk = desk
        self._left = iter(decisions)
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._decide)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _decide(self) -> None:
        for each in self._left:
            self._desk.decide(each.decision_id, ANN, Outcome.BLOCK, WHY, datetime.now(UTC))
            self.given.append(each)
            if self._enough.wait(0.01):
                return


def test_a_second_one_fences_the_first(outside: Outside, decider: Decider, url: str, store: Store, desk: Desk) -> None:
    decisions = decider.decide(3)
    with reviewing(outside, url) as first:
        until_open(outside, store, decisions)
        with reviewing(outside, url):
            for each in decisions:
                desk.decide(each.decision_id, ANN, Outcome.APPROVE, WHY, datetime.now(UTC))
            until_final(outside, decisions)
            while first.alive():  # it learns of it when it has something to publish, and is not always the faster one
                decider.decide(5, decided_at=datetime.now(UTC) - OVERDUE)
                time.sleep(0.5)
            assert first.process.returncode == EXIT_INDEFINITE


def test_a_new_store_does_not_open_again_what_has_its_final_word(
    outside: Outside, decider: Decider, url: str, store: Store, desk: Desk, tmp_path: Path
) -> None:
    settled, open_ = decider.decide(2)
    with reviewing(outside, url):
        until_open(outside, store, [settled, open_])
        desk.decide(settled.decision_id, ANN, Outcome.APPROVE, WHY, datetime.now(UTC))
        until_final(outside, [settled])
    lost = f"sqlite:///{tmp_path}/lost.db"
    with reviewing(outside, lost), a_store(lost, outside.settings.review) as another:
        until_open(outside, another, [open_])
        with pytest.raises(NoSuchCase):
            another.case(settled.decision_id)
