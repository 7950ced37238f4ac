"""A source of labels gone mad: silenced, with an alert that ends, over a kill -9 of the learner."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs
from support.lessons import a_learner, champions, learn_by_life
from support.outside import Outside, outside_of
from support.wire_samples import a_decision, a_label

from models.dead_letter import DeadLetterReason
from models.label import LabelSource, LabelState
from streams.broker.topics import Topic
from streams.wire.codec import write_decision, write_label
from streams.wire.dead_letter import read_dead_letter

pytestmark = pytest.mark.kafka

QUICK = {"learner_publish_interval_seconds": "0.3", "labels_most_frauds_per_acceptor": "5"}
SHOP = "mer_robbed"
IMPATIENT = """
import streams.learning.process as learning
from streams.operating.cli import main

learning.POLL_MS = 0  # as if the broker were slow to answer: most polls are empty
main(["learner"])
"""
SLOW = """
import asyncio
import streams.learning.process as learning
from streams.operating.cli import main

behind = learning.behind

async def slowly(*what):
    await asyncio.sleep(0.3)  # enough for payments and their labels to come
    return await behind(*what)

learning.behind = slowly
main(["learner"])
"""


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as outside:
        yield outside


def decide(outside: Outside, number: int, *, days: float = 0.0, shop: str = SHOP, **changes: Any) -> None:
    was = structs.replace(a_decision(), **changes)
    made = structs.replace(
        was,
        transaction_id=f"t-{number}",
        terminal_id=None,
        merchant_id=shop,
        event_time=was.event_time + timedelta(days=days),
        input=structs.replace(was.input, partition=0, offset=number),
    )
    outside.send(write_decision(made), key=b"card", topic=Topic.APPROVE, partition=0)


def report(
    outside: Outside,
    number: int,
    source: LabelSource = LabelSource.CHARGEBACK,
    state: LabelState = LabelState.FRAUD,
) -> None:
    label = replace(a_label(), label_id=f"l-{number}", transaction_id=f"t-{number}", state=state, source=source)
    outside.send(write_label(label), key=f"t-{number}".encode(), topic=Topic.LABELS, partition=0)


def silenced(outside: Outside) -> list[str]:
    """Transactions whose label waits in the dead letters, and why it does, is this one reason."""
    letters = outside.heard(Topic.DEAD_LETTERS)
    told = [read_dead_letter(each.key(), each.value(), each.headers() or []) for each in letters]
    assert {each.reason for each in told} <= {DeadLetterReason.LABEL_SOURCE_SILENCED}
    return [(each.record.key or b"").decode() for each in told]


def test_a_source_that_reports_a_whole_shop_is_silenced_and_heard_again(outside: Outside) -> None:
    with a_learner(outside, **QUICK) as learner:
        for number in range(20):
            decide(outside, number)
        outside.flush()
        outside.until(lambda: learner.metric("holdfast_examples_pending") == 20)
        for number in range(12):
            report(outside, number)
        report(outside, 15, LabelSource.EARLY_FRAUD_WARNING)
        outside.flush()
        outside.until(lambda: len(silenced(outside)) == 7)
        assert silenced(outside) == [f"t-{number}" for number in range(5, 12)]
        outside.until(lambda: outside.alerts("label-sources") != [])
        [alert] = outside.alerts("label-sources")
        assert (alert["status"], alert["reason"]) == ("open", "LABEL_SOURCE_SILENCED")
        assert alert["evidence"] == {"chargeback": f"fraud at {SHOP}"}
        assert learner.metric("holdfast_examples_learnt") == 6  # the warning, too
        learner.kill()
    with a_learner(outside, **QUICK) as learner:
        report(outside, 12)
        outside.flush()
        outside.until(lambda: len(silenced(outside)) == 8)
        decide(outside, 20, days=1.25)  # a day in which it said little
        outside.flush()
        outside.until(lambda: [each["status"] for each in outside.alerts("label-sources")][-1] == "resolved")
        report(outside, 13)
        outside.flush()
        outside.until(lambda: learner.metric("holdfast_examples_learnt") == 1)
        assert len(silenced(outside)) == 8


def test_labels_that_come_while_payments_are_read_wait_for_their_own(outside: Outside) -> None:
    """Each payment is worth one label of a reviewer: one that is read before its payment has no allowance left."""
    with a_learner(outside, program=("-c", SLOW), **QUICK | {"labels_burst": "5"}) as learner:
        for first in range(0, 400, 20):
            for number in range(first, first + 20):
                decide(outside, number, shop=f"mer_{number}")
            outside.flush()
            for number in range(first, first + 20):
                report(outside, number, LabelSource.MANUAL_REVIEW, LabelState.LEGITIMATE)
            outside.flush()
            time.sleep(0.1)
        outside.until(lambda: learner.metric("holdfast_examples_learnt") == 400)
        assert silenced(outside) == []


def labels_of_champions(outside: Outside) -> list[int]:
    return [each.labels for each in champions(outside)]


def test_a_source_that_floods_is_silenced_and_the_learner_goes_back_to_before_it_did(outside: Outside) -> None:
    settings = {
        "learner_least_labels": "200",  # the first champion knows more than half of what the last one will
        "learner_keep_model_minutes": "0.0001",
        "labels_burst": "60",
        "labels_most_frauds_per_acceptor": "1000",
    }
    with a_learner(outside, **QUICK | settings) as learner:
        learn_by_life(outside, range(200))
        outside.until(lambda: 200 in labels_of_champions(outside))
        learn_by_life(outside, range(200, 300))
        outside.until(lambda: labels_of_champions(outside)[-1] == 300)  # and the one before is kept
        learn_by_life(outside, range(300, 400), lie=True)
        outside.until(lambda: outside.alerts("rollback") != [])
        alert = outside.alerts("rollback")[0]
        assert (alert["status"], alert["reason"]) == ("open", "MODEL_ROLLED_BACK")
        assert alert["evidence"]["why"] == "source chargeback sent so many labels that it is silenced"
        went_back_to = int(alert["evidence"]["to"].split("-")[0])
        assert went_back_to == 200
        assert learner.metric("holdfast_model_rollbacks") == 1
        assert went_back_to in labels_of_champions(outside)
        assert outside.alerts("label-sources")[0]["evidence"] == {"chargeback": "all of its labels"}
        learn_by_life(outside, range(400, 410))
        outside.until(lambda: [each["status"] for each in outside.alerts("rollback")][-1] == "resolved")
        assert went_back_to < labels_of_champions(outside)[-1] < 300  # some came before their payments, and were heard


def test_a_learner_that_was_away_hears_labels_after_the_payments_however_slow_the_broker_is(outside: Outside) -> None:
    for number in range(20_000):
        decide(outside, number, shop=f"mer_{number % 50}")
    for number in range(300):
        report(outside, number)
    outside.flush()
    settings = {"labels_burst": "60", "labels_most_frauds_per_acceptor": "1000"}
    with a_learner(outside, program=("-c", IMPATIENT), **QUICK | settings) as learner:
        outside.until(lambda: learner.metric("holdfast_examples_learnt") == 300)
        assert silenced(outside) == []
        assert outside.alerts("label-sources") == []
