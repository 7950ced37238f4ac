"""Each way in which a model fails, for real: rules decide in time, the scorer is replaced, people hear of it once."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from support.outside import Outside, outside_of
from support.processes import Running, running_worker
from support.scorers import scorers_of
from support.trained import champion_record, trained

from streams.broker.topics import Topic
from streams.wire.control import FAULT, write_fault
from streams.wire.scorer_fault import FaultKind, ScorerFault
from streams.wire.snapshot_record import CHAMPION

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

# Generous, because the machine may do much else; but what is hung is hung soon.
PATIENT = {
    "scorer_budget_ms": "250",
    "scorer_slow_after_share": "1",
    "scorer_hung_after_ms": "1500",
    "deadline_deadline_ms": "60000",
    "breaker_longest_rest_seconds": "1",
    "incidents_quiet_seconds": "1",
    "incidents_late_quiet_seconds": "1",
}

TOLD = {
    FaultKind.SPIN: "RESPONSE_TIMEOUT",
    FaultKind.TRICKLE: "RESPONSE_TIMEOUT",
    FaultKind.ALLOCATE: "CONNECTION_ERROR",
    FaultKind.EXIT: "CONNECTION_ERROR",
    FaultKind.SEGFAULT: "CONNECTION_ERROR",
    FaultKind.NAN: "MODEL_INVALID_OUTPUT",
    FaultKind.OUT_OF_RANGE: "MODEL_INVALID_OUTPUT",
    FaultKind.TOO_FEW: "MODEL_INVALID_OUTPUT",
    FaultKind.PREVIOUS: "MODEL_INVALID_OUTPUT",
}


@pytest.fixture(scope="module")
def outside(bootstrap: str) -> Iterator[Outside]:
    with outside_of(bootstrap, "scorerfaults.") as there:
        there.send(champion_record(trained()), key=CHAMPION, topic=Topic.MODELS)
        there.flush()
        yield there


@pytest.fixture(scope="module")
def worker(outside: Outside) -> Iterator[Running]:
    with running_worker(outside.bootstrap, outside.prefix, **outside.variables(**PATIENT)) as started:
        yield started


def by_model(outside: Outside) -> bool:
    return bool(outside.decided()["decision_source"] == "model")


def incidents(outside: Outside) -> list[dict[str, Any]]:
    return outside.alerts("scorer")


def inject(outside: Outside, fault: ScorerFault) -> None:
    outside.send(write_fault(fault), key=FAULT, topic=Topic.CONTROL)
    outside.flush()


@pytest.mark.parametrize("kind", TOLD)
def test_rules_decide_the_scorer_is_replaced_and_people_hear_it_once(
    outside: Outside, worker: Running, kind: FaultKind
) -> None:
    outside.until(lambda: by_model(outside))
    outside.until(lambda: len(incidents(outside)) % 2 == 0)
    told, [before] = len(incidents(outside)), scorers_of(worker.pid)

    inject(outside, ScorerFault(kind=kind, delay_ms=50, lasting=False))
    amounts = count(1_000, 7)  # an answer of before is the right one to a payment like the one before
    outside.until(lambda: outside.decided(amount_minor=next(amounts))["fallback_reason"] == TOLD[kind])
    outside.until(lambda: by_model(outside))
    outside.until(lambda: len(incidents(outside)) == told + 2)

    opened, resolved = incidents(outside)[told:]
    assert [opened["status"], resolved["status"]] == ["open", "resolved"]
    assert opened["reason"] == resolved["reason"] == TOLD[kind]
    assert before.pid not in {each.pid for each in scorers_of(worker.pid)}
    assert worker.said().count('"lanes_open"') == 1


@pytest.mark.parametrize(
    ("kind", "reason"), [(FaultKind.SLEEP, "RESPONSE_TIMEOUT"), (FaultKind.RAISE, "APPLICATION_ERROR")]
)
def test_rules_decide_for_as_long_as_it_lasts_and_the_model_once_it_is_well(
    outside: Outside, worker: Running, kind: FaultKind, reason: str
) -> None:
    outside.until(lambda: by_model(outside))
    outside.until(lambda: len(incidents(outside)) % 2 == 0)
    told = len(incidents(outside))

    inject(outside, ScorerFault(kind=kind, delay_ms=500))
    outside.until(lambda: outside.decided()["fallback_reason"] == "CIRCUIT_OPEN")
    inject(outside, ScorerFault(kind=FaultKind.NONE))
    outside.until(lambda: by_model(outside))
    outside.until(lambda: len(incidents(outside)) == told + 2)

    assert [each["reason"] for each in incidents(outside)[told:]] == [reason] * 2
    assert worker.alive()
