"""The model is missing, slow, stopped or well again: who decides, what the decision says, and what people hear."""

import json
import math
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
from support.outside import Outside, outside_of
from support.processes import Running, running_worker
from support.scorers import scorers_of
from support.trained import champion_record, trained

from streams.broker.topics import Topic
from streams.wire.snapshot_record import CHAMPION

pytestmark = pytest.mark.kafka

# Generous, because the machine may do much else: what is a hiccup elsewhere must not look like a slow model here.
BUDGET_MS, SLOW_MS, HUNG_MS = 300, 700, 3_000
PATIENT = {
    "scorer_budget_ms": str(BUDGET_MS),
    "scorer_hung_after_ms": str(HUNG_MS),
    "deadline_deadline_ms": "60000",
    "breaker_longest_rest_seconds": "1",
    "incidents_quiet_seconds": "1",
    "incidents_late_quiet_seconds": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A worker that was cold and then got a model."""

    outside: Outside
    worker: Running
    cold: dict[str, Any]  # a decision from before
    cold_alerts: list[dict[str, Any]]
    model_version: str


@pytest.fixture(scope="module")
def installation(bootstrap: str) -> Iterator[Installation]:
    with (
        outside_of(bootstrap, "fallback.") as outside,
        running_worker(bootstrap, outside.prefix, **outside.variables(**PATIENT)) as worker,
    ):
        cold = outside.decided()
        snapshot = trained()
        outside.send(champion_record(snapshot), key=CHAMPION, topic=Topic.MODELS)
        outside.flush()
        outside.until(lambda: by_model(outside))
        outside.until(lambda: len(outside.alerts("model")) > 1)
        yield Installation(
            outside=outside,
            worker=worker,
            cold=cold,
            cold_alerts=outside.alerts("model"),
            model_version=snapshot.model_version,
        )


@pytest.fixture
def outside(installation: Installation) -> Outside:
    """With the model in use and no incident open."""
    outside = installation.outside
    outside.until(lambda: by_model(outside))
    outside.until(lambda: statuses(outside)[-1:] != ["open"])
    return outside


def by_model(outside: Outside) -> bool:
    return bool(outside.decided()["decision_source"] == "model")


def statuses(outside: Outside) -> list[str]:
    return [each["status"] for each in outside.alerts("scorer")]


def inject(outside: Outside, delay_ms: int) -> None:
    outside.send(json.dumps({"delay_ms": delay_ms}).encode(), key=b"fault", topic=Topic.CONTROL)
    outside.flush()


def fallbacks_until(outside: Outside, reason: str) -> list[str]:
    """Pay until a decision has this fallback reason; the reasons in their order, repeats left out."""
    seen: list[str] = []

    def found() -> bool:
        said = outside.decided()["fallback_reason"]
        if said is not None and said not in seen:
            seen.append(said)
        return said == reason

    outside.until(found)
    return seen


def scorer_of(worker: Running) -> int | None:
    """Process id of the one scorer that the worker has now."""
    pids = [each.pid for each in scorers_of(worker.pid)]
    return pids[0] if len(pids) == 1 else None


def test_before_the_first_model_rules_decide_and_say_so(installation: Installation) -> None:
    cold = installation.cold

    assert cold["fallback_reason"] == "MODEL_COLD_START"
    assert cold["decision_source"] in ("rules", "stand_in", "safe_default")
    assert (cold["risk_score"], cold["model_version"], cold["confidence"]) == (None, None, None)
    assert [each["status"] for each in installation.cold_alerts] == ["open", "resolved"]
    assert installation.cold_alerts[0]["reason"] == "MODEL_COLD_START"


def test_the_model_decides_once_it_is_there(installation: Installation, outside: Outside) -> None:
    decision = outside.decided()

    assert decision["model_version"] == installation.model_version
    assert 0.0 <= decision["risk_score"] <= 1.0
    assert decision["fallback_reason"] is None
    log_odds = sum(each["log_odds"] for each in decision["contributions"])
    assert 1 / (1 + math.exp(-log_odds)) == pytest.approx(decision["risk_score"], abs=1e-9)


def test_a_slow_model_is_replaced_by_rules_until_it_is_well(outside: Outside) -> None:
    told = len(statuses(outside))
    inject(outside, SLOW_MS)
    try:
        assert fallbacks_until(outside, "CIRCUIT_OPEN") == ["RESPONSE_TIMEOUT", "CIRCUIT_OPEN"]
        decision = outside.decided()
        assert (decision["decision_source"] == "model", decision["risk_score"]) == (False, None)
    finally:
        inject(outside, 0)
    outside.until(lambda: by_model(outside))
    outside.until(lambda: len(statuses(outside)) > told + 1)

    assert statuses(outside)[told:] == ["open", "resolved"]
    opened, resolved = outside.alerts("scorer")[told:]
    assert opened["dedup_key"] == resolved["dedup_key"]
    assert opened["reason"] == "RESPONSE_TIMEOUT"
    assert opened["sample_transaction_ids"]
    assert resolved["count"] > opened["count"]


def test_a_stopped_scorer_is_replaced(installation: Installation, outside: Outside) -> None:
    worker = installation.worker
    outside.until(lambda: scorer_of(worker) is not None)
    stopped, told = scorer_of(worker), len(statuses(outside))
    assert stopped is not None
    os.kill(stopped, signal.SIGSTOP)

    assert fallbacks_until(outside, "RESPONSE_TIMEOUT") == ["RESPONSE_TIMEOUT"]
    outside.until(lambda: by_model(outside))
    outside.until(lambda: len(statuses(outside)) > told + 1)

    assert statuses(outside)[told:] == ["open", "resolved"]
    assert not psutil.pid_exists(stopped)
    assert scorer_of(worker) not in (None, stopped)
    assert worker.said().count('"lanes_open"') == 1


def test_a_killed_scorer_is_replaced(installation: Installation, outside: Outside) -> None:
    worker = installation.worker
    outside.until(lambda: scorer_of(worker) is not None)
    killed = scorer_of(worker)
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    outside.until(lambda: scorer_of(worker) not in (None, killed))

    outside.until(lambda: by_model(outside))
    outside.until(lambda: statuses(outside)[-1:] != ["open"])
    assert not psutil.pid_exists(killed)


TOKENS = {
    "tok_test_approve": ("approve", "rules", None, ["SANDBOX"]),
    "tok_test_review": ("review", "rules", None, ["SANDBOX"]),
    "tok_test_block": ("block", "rules", None, ["SANDBOX"]),
    "tok_test_slow": (None, None, "RESPONSE_TIMEOUT", None),
    "tok_test_scorer_down": (None, None, "CONNECTION_ERROR", None),
    "tok_test_invalid_output": (None, None, "MODEL_INVALID_OUTPUT", None),
    "tok_test_cold_start": (None, None, "MODEL_COLD_START", None),
    "tok_test_too_old": (None, None, "TRANSACTION_TOO_OLD", None),
}


@pytest.mark.parametrize("token", TOKENS)
def test_a_test_token_forces_its_path_and_alerts_nobody(outside: Outside, token: str) -> None:
    outcome, source, fallback, reasons = TOKENS[token]
    told = len(outside.heard(Topic.ALERTS))

    decision = outside.decided(token)

    assert decision["outcome"] == (outcome or decision["outcome"])
    assert decision["decision_source"] == (source or decision["decision_source"])
    assert decision["reason_codes"] == (reasons or decision["reason_codes"])
    assert decision["fallback_reason"] == fallback
    assert (decision["risk_score"] is None) or fallback is None
    assert len(outside.heard(Topic.ALERTS)) == told
