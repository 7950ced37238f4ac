"""What was decided without the model is scored again once it is back: each decision once, through whatever kills."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from msgspec import structs
from support.outside import Outside, outside_of
from support.processes import Running, environment_of, running
from support.trained import champion_record, trained
from support.wire_samples import a_decision, an_alert_event

from models.alert import AlertStatus
from models.features import FEATURES
from rules.decision import Decision, DecisionSource, FallbackReason, Outcome
from streams.broker.topics import DECISIONS, Topic
from streams.crash import EXIT_INDEFINITE
from streams.wire.alert import write_alert
from streams.wire.codec import write_decision
from streams.wire.snapshot_record import CHAMPION

pytestmark = pytest.mark.kafka

PATIENT = {"scorer_hung_after_ms": "5000", "breaker_longest_rest_seconds": "1"}
AT_ONCE = 1_000_000  # in a second


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as there:
        yield there


@contextmanager
def reconciling(outside: Outside, *, most_per_second: int = AT_ONCE) -> Iterator[Running]:
    pace = {"reconciler_most_per_second": str(most_per_second)}
    environment = environment_of(outside.bootstrap, outside.prefix, **outside.variables(**PATIENT, **pace))
    with running(("-m", "streams.operating.cli", "reconciler"), environment) as reconciler:
        yield reconciler


class Decider:
    """Writes decisions as workers would."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._numbers = count(1)

    def decide(self, times: int = 1, *, scored: bool, **changes: Any) -> list[Decision]:
        made = [self._decision(scored=scored, **changes) for _ in range(times)]
        for each in made:
            self._outside.send(
                write_decision(each),
                key=each.pan_token.encode(),
                topic=DECISIONS[each.outcome],
                partition=each.input.partition,
            )
        self._outside.flush()
        return made

    def _decision(self, *, scored: bool, **changes: Any) -> Decision:
        number = next(self._numbers)
        partition = number % self._outside.settings.topics.partitions
        plain = a_decision()
        made = structs.replace(
            plain,
            decision_id=f"d.{partition}.{number}",
            transaction_id=f"t-{number}",
            pan_token=f"tok_{number}",
            outcome=Outcome.APPROVE if number % 3 else Outcome.REVIEW,
            risk_score=0.01 if scored else None,
            decision_source=DecisionSource.MODEL if scored else DecisionSource.STAND_IN,
            fallback_reason=None if scored else FallbackReason.CIRCUIT_OPEN,
            features=(0.5,) * len(FEATURES),
            amount_minor=1000 + number,
            decided_at=datetime.now(UTC),
            input=structs.replace(plain.input, partition=partition, offset=number),
        )
        return structs.replace(made, **changes)


@pytest.fixture
def decider(outside: Outside) -> Decider:
    return Decider(outside)


def publish_a_model(outside: Outside) -> str:
    snapshot = trained()
    outside.send(champion_record(snapshot), key=CHAMPION, topic=Topic.MODELS)
    outside.flush()
    return snapshot.model_version


def revisions(outside: Outside) -> list[dict[str, Any]]:
    return [json.loads(each.value() or b"") for each in outside.all_of(Topic.REVISED)]


def revised_ids(outside: Outside) -> Counter[str]:
    return Counter(each["decision_id"] for each in revisions(outside))


def until_revised(outside: Outside, decisions: Sequence[Decision]) -> None:
    """Wait until as many are revised, each of them once."""
    outside.until(lambda: revised_ids(outside).total() >= len(decisions))
    assert revised_ids(outside) == Counter(each.decision_id for each in decisions)


def test_what_was_decided_in_the_dark_is_scored_again_when_the_model_is_back(
    outside: Outside, decider: Decider
) -> None:
    dark = decider.decide(30, scored=False)
    version = publish_a_model(outside)
    with reconciling(outside) as reconciler:
        outside.until(lambda: reconciler.metric("holdfast_unreconciled_seconds") > 2)
        assert revisions(outside) == []  # a model is there, and nobody uses it
        decider.decide(1, scored=True)
        until_revised(outside, dark)

        outside.until(lambda: reconciler.metric("holdfast_revisions") == 30)
        assert reconciler.metric("holdfast_unreconciled_seconds") == 0
        assert reconciler.metric("holdfast_revised_amount_minor") == sum(each.amount_minor for each in dark)
    made = {each["decision_id"]: each for each in revisions(outside)}
    for decision in dark:
        revision = made[decision.decision_id]
        assert revision["model_version"] == version
        assert 0 <= revision["risk_score"] <= 1
        assert revision["decided_outcome"] == decision.outcome
        assert revision["agreement"] == ("agree" if revision["outcome"] == decision.outcome else "differ")
        assert revision["decision"]["topic"] == outside.name(DECISIONS[decision.outcome])
    places = {(each.key(), each.partition()) for each in outside.all_of(Topic.REVISED)}
    assert places == {(each.pan_token.encode(), each.input.partition) for each in dark}


def test_the_end_of_an_incident_of_the_model_is_proof_without_a_payment_and_the_incident_is_settled_once(
    outside: Outside, decider: Decider
) -> None:
    publish_a_model(outside)
    dark = decider.decide(3, scored=False)
    with reconciling(outside) as reconciler:
        outside.until(lambda: reconciler.metric("holdfast_unreconciled_seconds") > 1)
        for component in ("lanes", "scorer"):
            assert revisions(outside) == []
            announce(outside, component=component, status=AlertStatus.RESOLVED)
            time.sleep(1)
        until_revised(outside, dark)
        outside.until(lambda: "settled" in statuses(outside))
    with reconciling(outside):  # a successor reads all of it again
        until_revised(outside, [*dark, *decider.decide(1, scored=False, fallback_reason=FallbackReason.CONSUMER_LAG)])
    assert statuses(outside) == ["resolved", "resolved", "settled"]


def announce(outside: Outside, **changes: Any) -> None:
    event = an_alert_event()
    told = replace(event, data=replace(event.data, **changes))
    outside.send(write_alert(told), key=b"worker-1/scorer", topic=Topic.ALERTS)
    outside.flush()


def statuses(outside: Outside) -> list[str]:
    return [json.loads(each.value() or b"")["data"]["status"] for each in outside.all_of(Topic.ALERTS)]


def test_what_was_only_too_late_waits_for_nothing(outside: Outside, decider: Decider) -> None:
    publish_a_model(outside)
    late = decider.decide(3, scored=False, fallback_reason=FallbackReason.TRANSACTION_TOO_OLD)
    with reconciling(outside):
        until_revised(outside, late)


def test_it_scores_no_more_in_a_second_than_it_may(outside: Outside, decider: Decider) -> None:
    publish_a_model(outside)
    dark = decider.decide(100, scored=False)
    with reconciling(outside, most_per_second=50) as reconciler:
        outside.until(lambda: reconciler.metric("holdfast_unreconciled_seconds") > 1)
        decider.decide(1, scored=True)
        began = time.monotonic()
        until_revised(outside, dark)
        assert time.monotonic() - began >= len(dark) / 50


def test_without_a_model_it_waits_for_one(outside: Outside, decider: Decider) -> None:
    dark = decider.decide(3, scored=False)
    decider.decide(1, scored=True)  # by a model of before, that is on the topic no more
    with reconciling(outside) as reconciler:
        outside.until(lambda: "waits_for_the_model" in reconciler.said())
        assert revisions(outside) == []
        publish_a_model(outside)
        until_revised(outside, dark)


def test_killed_at_any_moment_it_goes_on_and_revises_each_once(outside: Outside, decider: Decider) -> None:
    publish_a_model(outside)
    dark = decider.decide(30_000, scored=False)
    decider.decide(1, scored=True)
    for revised in range(3):
        with reconciling(outside) as reconciler:
            give_up_at = time.monotonic() + 60
            while not reconciler.metric("holdfast_revisions") and time.monotonic() < give_up_at:
                time.sleep(0.02 * revised)  # a little later each time
            reconciler.kill()
        assert 0 < revised_ids(outside).total() < len(dark), "it was killed too late"
    with reconciling(outside):
        until_revised(outside, dark)
        again = decider.decide(1, scored=False)
        decider.decide(1, scored=True)
        until_revised(outside, [*dark, *again])


def test_a_second_one_fences_the_first(outside: Outside, decider: Decider) -> None:
    publish_a_model(outside)
    with reconciling(outside) as first, reconciling(outside):
        dark = decider.decide(20, scored=False)
        decider.decide(1, scored=True)
        outside.until(lambda: not first.alive())
        assert first.process.returncode == EXIT_INDEFINITE
        until_revised(outside, dark)


def test_of_another_releases_features_nothing_is_said_and_what_is_no_decision_is_passed_over(
    outside: Outside, decider: Decider
) -> None:
    publish_a_model(outside)
    outside.send(b"{}", key=b"tok", topic=Topic.APPROVE, partition=0)
    [other] = decider.decide(1, scored=False, features=(1.0,))
    [ours] = decider.decide(1, scored=False)
    decider.decide(1, scored=True)
    with reconciling(outside) as reconciler:
        until_revised(outside, [other, ours])
        assert reconciler.metric("holdfast_unreadable_decisions") == 1
    said = {each["decision_id"]: each["agreement"] for each in revisions(outside)}
    assert said[other.decision_id] == "unscorable"
    assert said[ours.decision_id] in ("agree", "differ")


def test_the_report_is_a_sum_of_what_the_topics_hold(outside: Outside, decider: Decider) -> None:
    publish_a_model(outside)
    dark = decider.decide(9, scored=False) + decider.decide(
        4, scored=False, fallback_reason=FallbackReason.CONSUMER_LAG, currency="JPY"
    )
    decider.decide(5, scored=True)
    assert report(outside) == (1, 13)  # exit code, and how many wait
    with reconciling(outside):
        until_revised(outside, dark)
    assert report(outside) == (0, 0)
    found = json.loads(revisions_command(outside, "--json").stdout)["sums"]
    amounts, counts = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for each in found:
        amounts[each["fallback_reason"], each["currency"]] += each["amount_minor"]
        counts[each["fallback_reason"], each["currency"]] += each["decisions"]
    assert counts == {("CIRCUIT_OPEN", "EUR"): 9, ("CONSUMER_LAG", "JPY"): 4}
    assert amounts["CIRCUIT_OPEN", "EUR"] == sum(each.amount_minor for each in dark[:9])
    saved = sum(each["decided_cost_minor"] - each["expected_cost_minor"] for each in revisions(outside))
    assert sum(each["saved_minor"] for each in found) == saved
    assert "CONSUMER_LAG" in revisions_command(outside).stdout


def report(outside: Outside) -> tuple[int, int]:
    done = revisions_command(outside, "--json")
    return done.returncode, json.loads(done.stdout)["waiting"]


def revisions_command(outside: Outside, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "streams.operating.cli", "revisions", *options],
        env={**os.environ, **environment_of(outside.bootstrap, outside.prefix, **outside.variables())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
