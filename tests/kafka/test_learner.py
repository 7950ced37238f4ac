"""The learner: labels make a model that decides, workers hear of fraud, and a kill -9 teaches nothing twice."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from msgspec import structs
from support.labelled_rows import labelled_rows
from support.lessons import TEACHABLE, a_learner, champions, decision, send_label
from support.outside import Outside, outside_of
from support.processes import Running, running_worker

from models.dead_letter import DeadLetterReason
from models.features import FEATURES
from models.hinges import no_hinges
from models.label import LabelState
from models.online import OnlineModel
from models.snapshot import Snapshot, content_hash
from rules.decision import InputPosition
from streams.broker.topics import Topic
from streams.wire.codec import write_decision
from streams.wire.dead_letter import read_dead_letter
from streams.wire.snapshot_record import GOOD, SnapshotRecord, read_snapshot

pytestmark = pytest.mark.kafka

LABELS, FRAUDS = 40, 8
PATIENT = {"scorer_budget_ms": "1000", "deadline_deadline_ms": "60000"}


def feature(decision: dict[str, Any], name: str) -> float:
    return float(decision["features"][FEATURES.index(name)])


# A worker and a learner together


@dataclass(frozen=True, slots=True, kw_only=True)
class School:
    """An installation whose first labels were learnt."""

    outside: Outside
    before: dict[str, Any]  # the decision of a payment by the card and at the merchant that turn out bad
    first: Snapshot


@pytest.fixture(scope="module")
def school(bootstrap: str) -> Iterator[School]:
    with (
        outside_of(bootstrap, "school.") as outside,
        running_worker(bootstrap, outside.prefix, **outside.variables(**PATIENT)),
        a_learner(outside, **TEACHABLE),
    ):
        frauds = [outside.pay("tok_bad", merchant_id="mer_bad") for _ in range(FRAUDS)]
        honest = [outside.pay(merchant_id=f"mer_{number}") for number in range(LABELS - FRAUDS)]
        outside.until(lambda: len(outside.decisions()) == LABELS)
        for transaction_id in honest:
            send_label(outside, transaction_id, LabelState.LEGITIMATE)
        for transaction_id in frauds:
            send_label(outside, transaction_id, LabelState.FRAUD)
        outside.flush()
        outside.until(lambda: champions(outside) != [])
        outside.until(lambda: outside.decided()["decision_source"] == "model")
        yield School(outside=outside, before=outside.decision(frauds[0]), first=champions(outside)[0])


def test_the_first_model_has_learnt_every_label_once(school: School) -> None:
    assert (school.first.labels, school.first.frauds) == (LABELS, FRAUDS)


def test_the_model_decides_afterwards(school: School) -> None:
    decision = school.outside.decided()

    assert decision["model_version"].startswith(f"{LABELS}-")
    assert decision["risk_score"] is not None
    assert school.before["model_version"] is None


def test_workers_hear_of_an_acceptor_with_fraud(school: School) -> None:
    decision = school.outside.decided(merchant_id="mer_bad")

    assert feature(school.before, "merchant_last_was_fraud") == 0.0
    assert feature(decision, "merchant_last_was_fraud") == 1.0
    assert feature(decision, "merchant_fraud_run") == FRAUDS


def test_workers_hear_of_a_defrauded_card(school: School) -> None:
    decision = school.outside.decided("tok_bad", merchant_id="mer_9")

    assert feature(school.before, "card_fraud_known") == 0.0
    assert feature(decision, "card_fraud_known") == 1.0
    assert feature(school.outside.decided(), "card_fraud_known") == 0.0


def test_a_bad_label_is_a_dead_letter_of_its_own_topic_even_if_no_other_follows(school: School) -> None:
    outside = school.outside
    outside.send(b"fraud!", key=b"tx_1", topic=Topic.LABELS, partition=1)  # a place where a decided transaction lies
    outside.flush()
    outside.until(lambda: len(outside.heard(Topic.DEAD_LETTERS)) > 0)

    [letter] = outside.heard(Topic.DEAD_LETTERS)
    told = read_dead_letter(letter.key(), letter.value(), letter.headers() or [])

    assert told.reason is DeadLetterReason.NOT_JSON
    assert (told.record.topic, told.record.partition, told.record.offset) == (outside.name(Topic.LABELS), 1, 0)
    assert (letter.key(), letter.value()) == (b"tx_1", b"fraud!")
    audit = outside.audit()
    assert audit.holds
    assert audit.ledger.dead_letters == 0


# A learner alone, killed


EVERY = 50  # lessons to a snapshot
SLOWLY = {
    "learner_publish_every_labels": str(EVERY),
    "learner_publish_interval_seconds": "3600",
    "learner_least_labels": "1",
    "learner_least_frauds": "1",
}
DECISIONS = tuple(range(130))
QUICKLY = SLOWLY | {"learner_publish_interval_seconds": "0.2"}
PATIENCE = 0.5  # of the learners are not killed before they have published something


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as outside:
        yield outside


def is_fraud(number: int) -> bool:
    return number % 10 == 3


def teach(outside: Outside, numbers: range, *, again: int = 0) -> None:
    for number in numbers:
        state = LabelState.FRAUD if is_fraud(number) else LabelState.LEGITIMATE
        send_label(outside, f"t-{number}", state, number=again)
    outside.flush()


def ready_with(learner: Running) -> dict[str, Any]:
    """What the learner held when it was ready."""
    [line] = [line for line in learner.said().splitlines() if '"learner_ready"' in line]
    return {name: json.loads(line)[name] for name in ("labels", "waiting")}


def test_a_killed_learner_learns_each_label_once(outside: Outside) -> None:
    with a_learner(outside, **SLOWLY) as learner:
        for number in DECISIONS:
            value = write_decision(decision(number))
            outside.send(value, key=b"card", topic=Topic.APPROVE, partition=number % 2)
        outside.flush()
        outside.until(lambda: learner.metric("holdfast_examples_pending") == len(DECISIONS))
        teach(outside, range(50))
        outside.until(lambda: len(champions(outside)) == 1)
        teach(outside, range(50, 80))
        teach(outside, range(40, 60), again=1)  # said twice
        outside.until(lambda: learner.metric("holdfast_examples_learnt") == 80)
        learner.kill()
    assert [snapshot.labels for snapshot in champions(outside)] == [50]

    teach(outside, range(80, 100))
    with a_learner(outside, **SLOWLY) as learner:
        assert ready_with(learner) == {"labels": 50, "waiting": 80}
        outside.until(lambda: len(champions(outside)) == 2)
        learner.kill()
    with a_learner(outside, **SLOWLY) as learner:
        assert ready_with(learner) == {"labels": 100, "waiting": 30}

    published = champions(outside)[-1]
    assert published.labels == 100
    assert content_hash(published) == content_hash(uninterrupted(100, published))
    assert labelled_in_histories(outside) == 100


def test_a_learner_killed_twenty_times_ends_as_one_that_never_was(outside: Outside) -> None:
    """At any moment: while it starts, reads again, learns, publishes. It has placed hinges by the end."""
    labels, kills, rng = 1_500, 20, Random(20)
    rows, frauds = labelled_rows(labels)
    model = OnlineModel()
    for number in range(labels):
        made = structs.replace(decision(number), features=tuple(rows[number]))
        outside.send(write_decision(made), key=b"card", topic=Topic.APPROVE, partition=number % 2)
        model.learn(rows[number], is_fraud=frauds[number])
    cuts = [0, *sorted(rng.sample(range(1, labels), kills - 1)), labels]
    for begin, end in pairwise(cuts):
        known, waits = len(champions(outside)), rng.random() < PATIENCE
        with a_learner(outside, await_ready=waits, **QUICKLY) as learner:
            for number in range(begin, end):
                send_label(outside, f"t-{number}", LabelState.FRAUD if frauds[number] else LabelState.LEGITIMATE)
            outside.flush()
            if waits:
                outside.until(lambda known=known: len(champions(outside)) > known)
            time.sleep(rng.uniform(0.0, 0.5 if waits else 2.0))
            assert learner.alive()
            learner.kill()
    with a_learner(outside, **QUICKLY):
        outside.until(lambda: champions(outside)[-1].labels == labels)
    published = champions(outside)[-1]
    assert published.hinges != no_hinges(FEATURES)
    assert content_hash(published) == content_hash(model.snapshot(label_offsets=published.label_offsets))
    assert labelled_in_histories(outside) == labels


def uninterrupted(labels: int, like: Snapshot) -> Snapshot:
    """What a model is that learnt the same labels in their order and was never killed."""
    model = OnlineModel()
    for number in range(labels):
        model.learn(decision(number).features, is_fraud=is_fraud(number))
    return model.snapshot(label_offsets=like.label_offsets)


def labelled_in_histories(outside: Outside) -> int:
    """Labels counted in the acceptors' histories that a learner would go on from."""
    kept = [each for each in outside.all_of(Topic.LEARNER_STATE) if not (each.key() or b"").startswith(GOOD)]
    latest = {each.key(): json.loads(each.value() or b"") for each in kept}
    return sum(sum(history["labelled"]) for history in latest.values())


# Drift


def live(outside: Outside, numbers: range, *, frauds: frozenset[int] = frozenset()) -> None:
    """Payments a second apart, all scored alike; those of `frauds` are reported before they are old enough."""
    for number in numbers:
        made = structs.replace(
            decision(number),
            event_time=datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=number),
            risk_score=0.02,
            input=InputPosition(topic="transactions", partition=0, offset=number),
        )
        if number in frauds:
            send_label(outside, made.transaction_id, LabelState.FRAUD)
        outside.send(write_decision(made), key=b"card", topic=Topic.APPROVE, partition=0)
    outside.flush()


def test_drift_is_an_incident_that_says_what_moved_and_ends_by_itself(outside: Outside) -> None:
    """Of 50 payments one is fraud, as scores say; then every fifth; then one of 50 again, which is a change, too."""
    one_of_50 = frozenset(range(7, 14_000, 50))
    a_minute = {"learner_maturity_days": str(60 / 86_400), "learner_drift_after_labels": "0"}
    with a_learner(outside, **TEACHABLE, **a_minute) as learner:
        live(outside, range(1_000), frauds=one_of_50)
        outside.until(lambda: champions(outside) != [])  # who is to drift: what matures before is held against nobody
        live(outside, range(1_000, 5_000), frauds=one_of_50)
        outside.until(lambda: learner.metric("holdfast_examples_learnt") >= 4_900)
        assert learner.metric("holdfast_model_drift") == 0
        live(outside, range(5_000, 6_000), frauds=frozenset(range(5_000, 6_000, 5)))
        outside.until(lambda: outside.alerts("drift") != [])
        alert = outside.alerts("drift")[0]
        assert (alert["status"], alert["reason"]) == ("open", "MODEL_DRIFTS")
        assert alert["evidence"].keys() <= {"EXCESS_LOSS", "MORE_FRAUD_THAN_SCORED"}
        assert all(" before, " in told and "labels, seen 20" in told for told in alert["evidence"].values())
        outside.until(lambda: read_champion(outside).drifts)
        learner.kill()

    with a_learner(outside, **TEACHABLE, **a_minute) as learner:
        outside.until(lambda: learner.metric("holdfast_model_drift") > 0)
        live(outside, range(6_000, 14_000), frauds=one_of_50)
        outside.until(lambda: [each["status"] for each in outside.alerts("drift")].count("resolved") == 1)
        outside.until(lambda: not read_champion(outside).drifts)
    statuses = [each["status"] for each in outside.alerts("drift")]
    assert (statuses[0], statuses.count("open"), statuses[-1]) == ("open", 1, "resolved")


def read_champion(outside: Outside) -> SnapshotRecord:
    return [read_snapshot(each.value() or b"") for each in outside.all_of(Topic.MODELS) if each.key() == b"champion"][
        -1
    ]
