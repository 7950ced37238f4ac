"""Incidents: one open, bounded updates, one resolve, and never a resolve while it lasts."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.alert import MOST_SAMPLES, Alert, AlertStatus
from rules.decision import FallbackReason
from rules.incidents import KINDS, IncidentPolicy, Incidents
from rules.moment import Moment
from streams.wire.alert import event_of, read_alert, write_alert

POLICY = IncidentPolicy(soft_batches=1, quiet_seconds=3.0, update_seconds=20.0)
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OPEN, UPDATE, RESOLVED = AlertStatus.OPEN, AlertStatus.UPDATE, AlertStatus.RESOLVED
RUNBOOK = Path("docs/runbook.md").read_text("utf-8")


def at(seconds: float, *, clock_off: float = 0.0) -> Moment:
    return Moment(START + timedelta(seconds=seconds + clock_off), 1000.0 + seconds)


def open_incident(reason: str = "RESPONSE_TIMEOUT") -> Incidents:
    incidents = Incidents(POLICY, source="worker-1", versions={"settings": "s-1"})
    assert incidents.failed("scorer", reason, at(0)) is not None
    return incidents


def test_the_first_failure_opens_and_the_second_is_only_counted() -> None:
    incidents = Incidents(POLICY, source="worker-1")
    opening = incidents.failed("scorer", "RESPONSE_TIMEOUT", at(0), count=3, amount_minor=500, samples=["t-1"])
    assert opening is not None
    assert (opening.status, opening.count, opening.amount_minor) == (OPEN, 3, 500)
    assert incidents.failed("scorer", "CIRCUIT_OPEN", at(1), count=2) is None


def of_three() -> Incidents:
    return Incidents(IncidentPolicy(soft_batches=3), source="worker-1")


def late(incidents: Incidents, second: float) -> Alert | None:
    return incidents.failed("scorer", "RESPONSE_TIMEOUT", at(second), count=2, amount_minor=10, samples=["t"])


def test_one_late_batch_is_no_incident_and_several_are_one_that_began_with_the_first() -> None:
    incidents = of_three()
    assert (late(incidents, 0), late(incidents, 1)) == (None, None)
    assert incidents.due(at(2)) == []
    opening = late(incidents, 2)
    assert opening is not None
    assert (opening.status, opening.started_at, opening.count, opening.amount_minor) == (OPEN, at(0).time, 6, 30)
    assert late(incidents, 3) is None


def test_well_batches_make_up_for_late_ones_each_for_one() -> None:
    incidents = of_three()
    for second in range(0, 100, 2):
        assert late(incidents, second) is None
        incidents.healthy("scorer", at(second + 1))
    assert (late(incidents, 101), late(incidents, 102)) == (None, None)
    incidents.healthy("scorer", at(103))
    assert late(incidents, 104) is None
    assert late(incidents, 105) is not None


def test_an_open_incident_goes_on_for_as_many_late_batches_as_opened_it_and_not_for_one() -> None:
    incidents = of_three()
    assert [late(incidents, second) is None for second in (0, 1, 2)] == [True, True, False]
    for second in range(3, 6):
        incidents.healthy("scorer", at(second))
    late(incidents, 5.2)
    late(incidents, 5.4)
    incidents.healthy("scorer", at(5.5))
    [resolved] = incidents.due(at(5.5))
    assert (resolved.status, resolved.restored_at, resolved.count) == (RESOLVED, at(3).time, 10)

    assert [late(incidents, second) is None for second in (10, 11, 12)] == [True, True, False]
    late(incidents, 14)
    incidents.healthy("scorer", at(15))
    late(incidents, 16)  # the third that nothing made up for
    incidents.healthy("scorer", at(17))
    assert incidents.due(at(18.9)) == []
    assert [alert.status for alert in incidents.due(at(19))] == [RESOLVED]


def test_a_fact_opens_at_once_and_names_the_incident_that_was_in_doubt() -> None:
    incidents = of_three()
    late(incidents, 0)
    opening = incidents.failed("scorer", "CONNECTION_ERROR", at(1))
    assert opening is not None
    assert (opening.reason, opening.count) == ("CONNECTION_ERROR", 3)


def test_a_breaker_that_opened_because_of_late_batches_opens_an_incident_that_names_them() -> None:
    incidents = of_three()
    late(incidents, 0)
    opening = incidents.failed("scorer", "CIRCUIT_OPEN", at(1))
    assert opening is not None
    assert opening.reason == "RESPONSE_TIMEOUT"


@pytest.mark.parametrize("cause", ["MODEL_INVALID_OUTPUT", "RESPONSE_TIMEOUT"])
def test_a_breaker_told_of_before_what_opened_it_opens_an_incident_that_names_that(cause: str) -> None:
    """Two lanes ask one scorer: the batch that met the open breaker may be committed before the one that opened it."""
    incidents = of_three()
    opening = incidents.failed("scorer", "CIRCUIT_OPEN", at(0), count=4, cause=cause)
    assert opening is not None
    assert (opening.reason, opening.count) == (cause, 4)
    assert incidents.failed("scorer", cause, at(0), count=1) is None


def test_a_scorer_killed_for_what_it_said_is_named_by_that_whoever_is_told_of_first() -> None:
    incidents = of_three()
    late(incidents, 0)
    opening = incidents.failed("scorer", "CONNECTION_ERROR", at(0), cause="MODEL_INVALID_OUTPUT")
    assert opening is not None
    assert opening.reason == "MODEL_INVALID_OUTPUT"


def test_an_update_sums_up_what_happened_since() -> None:
    incidents = open_incident()
    incidents.failed("scorer", "CIRCUIT_OPEN", at(10), count=4, amount_minor=70)
    update = incidents.failed("scorer", "CIRCUIT_OPEN", at(20), count=1)
    assert update is not None
    assert (update.status, update.reason, update.count, update.amount_minor) == (UPDATE, "RESPONSE_TIMEOUT", 6, 70)


def test_an_incident_that_a_predecessor_left_open_goes_on_and_resolves_once() -> None:
    first = Incidents(POLICY, source="worker-1")
    left = first.failed("scorer", "RESPONSE_TIMEOUT", at(0), count=3, amount_minor=500, samples=["t-1"])
    assert left is not None
    incidents = Incidents(POLICY, source="worker-1")
    assert incidents.adopt(left, at(60))
    assert not incidents.adopt(left, at(61))
    assert incidents.failed("scorer", "CIRCUIT_OPEN", at(62), count=2) is None  # it is open already
    assert incidents.due(at(70)) == []
    incidents.healthy("scorer", at(70))
    [resolved] = incidents.due(at(73))
    assert (resolved.status, resolved.dedup_key, resolved.started_at) == (RESOLVED, left.dedup_key, left.started_at)
    assert (resolved.count, resolved.amount_minor, resolved.sample_transaction_ids) == (5, 500, ("t-1",))
    assert not incidents.adopt(resolved, at(80))


def test_evidence_is_told_with_the_latest_of_each_name_and_survives_its_process() -> None:
    incidents = Incidents(IncidentPolicy(), source="learner")
    opened = incidents.failed("drift", "MODEL_DRIFTS", at(0), evidence={"loss": "0.1", "more": "1"})
    assert opened is not None
    assert opened.evidence == {"loss": "0.1", "more": "1"}
    incidents.failed("drift", "MODEL_DRIFTS", at(1), evidence={"loss": "0.3"})
    [update] = incidents.due(at(60))
    assert update.evidence == {"loss": "0.3", "more": "1"}

    successor = Incidents(IncidentPolicy(), source="learner")
    assert successor.adopt(update, at(61))
    successor.healthy("drift", at(62))
    [resolved] = successor.due(at(70))
    assert resolved.evidence == {"loss": "0.3", "more": "1"}


def test_quiet_without_proof_of_health_does_not_resolve() -> None:
    assert open_incident().due(at(19.9)) == []


def test_proof_of_health_before_the_last_failure_does_not_count() -> None:
    incidents = open_incident()
    incidents.healthy("scorer", at(1))
    incidents.failed("scorer", "RESPONSE_TIMEOUT", at(2))
    assert incidents.due(at(19.9)) == []


@pytest.mark.parametrize(("now", "alerts"), [(2.999, 0), (3.0, 1)])
def test_it_resolves_after_exactly_the_quiet_time_with_proof(now: float, alerts: int) -> None:
    incidents = open_incident()
    incidents.healthy("scorer", at(1))
    assert len(incidents.due(at(now))) == alerts


def test_it_resolves_once_and_says_since_when_it_is_well() -> None:
    incidents = open_incident()
    incidents.healthy("scorer", at(1))
    incidents.healthy("scorer", at(2))
    (resolved,) = incidents.due(at(5))
    assert (resolved.status, resolved.restored_at) == (RESOLVED, at(1).time)
    assert incidents.due(at(60)) == []
    assert incidents.open_components() == ()


@pytest.mark.parametrize("step", [7200.0, -3600.0])
def test_a_clock_that_was_wrong_while_it_failed_keeps_no_incident_open(step: float) -> None:
    incidents = Incidents(POLICY, source="worker-1")
    assert incidents.failed("scorer", "RESPONSE_TIMEOUT", at(0, clock_off=step)) is not None
    incidents.healthy("scorer", at(1))
    assert incidents.due(at(2.9)) == []
    assert [alert.status for alert in incidents.due(at(3))] == [RESOLVED]


def test_components_fail_and_recover_each_for_itself() -> None:
    incidents = open_incident()
    assert incidents.failed("lanes", "CONSUMER_LAG", at(1)) is not None
    incidents.healthy("scorer", at(1))
    assert [alert.component for alert in incidents.due(at(5))] == ["scorer"]
    assert incidents.open_components() == ("lanes",)


def test_health_of_what_never_failed_is_not_news() -> None:
    incidents = Incidents(POLICY, source="worker-1")
    incidents.healthy("scorer", at(0))
    assert incidents.due(at(60)) == []


def test_an_alert_names_a_few_transactions_only() -> None:
    incidents = open_incident()
    incidents.failed("scorer", "CIRCUIT_OPEN", at(1), samples=[f"t-{number}" for number in range(4)])
    incidents.failed("scorer", "CIRCUIT_OPEN", at(2), samples=[f"t-{number}" for number in range(4, 9)])
    update = incidents.failed("scorer", "CIRCUIT_OPEN", at(20), samples=["t-9"])
    assert update is not None
    assert update.sample_transaction_ids == ("t-0", "t-1", "t-2", "t-3", "t-4")


events = st.lists(
    st.tuples(
        st.sampled_from(["failed", "healthy", "due"]),
        st.sampled_from(["scorer", "lanes"]),
        st.floats(0.0, 30.0),
        st.sampled_from([0.0, 5.0, -3600.0, 7200.0]),  # how far the wall clock is off
    ),
    max_size=60,
)


@given(events)
def test_whatever_happens_each_incident_opens_once_is_updated_seldom_and_resolves_once(
    history: list[tuple[str, str, float, float]],
) -> None:
    incidents, now = Incidents(POLICY, source="worker-1"), 0.0
    told: dict[str, tuple[AlertStatus, float]] = {}
    last_failure: dict[str, float] = {}
    proof: dict[str, float | None] = {}
    for kind, component, passed, off in history:
        now += passed
        moment = at(now, clock_off=off)
        alerts: list[Alert | None] = []
        if kind == "failed":
            last_failure[component], proof[component] = now, None
            alerts = [incidents.failed(component, "RESPONSE_TIMEOUT", moment, samples=["t-1", "t-2", "t-3"])]
        elif kind == "healthy":
            incidents.healthy(component, moment)
            proof[component] = now if proof.get(component) is None else proof[component]
        else:
            alerts = [*incidents.due(moment)]
        for alert in filter(None, alerts):
            status, when = told.get(alert.component, (RESOLVED, 0.0))
            assert (alert.status is OPEN) == (status is RESOLVED)
            if alert.status is UPDATE:
                assert now - when >= POLICY.update_seconds - 1e-5
            if alert.status is RESOLVED:
                assert now - last_failure[alert.component] >= POLICY.quiet_seconds - 1e-5
                assert proof[alert.component] is not None
            told[alert.component] = alert.status, now
        for name in incidents.open_components():
            assert told[name][0] is not RESOLVED


@pytest.mark.parametrize("reason", FallbackReason)
def test_every_fallback_reason_can_be_told(reason: FallbackReason) -> None:
    assert reason in KINDS


@pytest.mark.parametrize("reason", KINDS)
def test_alerts_of_every_kind_keep_to_their_contract(reason: str) -> None:
    incidents = Incidents(POLICY, source="worker-1", versions={"settings": "s-1"})
    alerts = [incidents.failed("part", reason, at(0), count=2, samples=["t"] * 9, partition=0)]
    incidents.healthy("part", at(1))
    alerts += incidents.due(at(30))
    assert len(alerts) == 2
    for alert in alerts:
        assert alert is not None
        kind = KINDS[reason]
        event = event_of(alert, event_id="e-1", source="/holdfast/w", area=kind.area, what=kind.what, time=START)
        assert read_alert(write_alert(event)) == event
        assert msgspec.convert(msgspec.to_builtins(alert), Alert) == alert
        assert len(alert.sample_transaction_ids) == MOST_SAMPLES
        assert alert.suggested_action


@pytest.mark.parametrize("reason", KINDS)
def test_the_runbook_tells_of_every_kind_what_to_do(reason: str) -> None:
    sections = re.split(r"^#{2,3} ", RUNBOOK, flags=re.MULTILINE)
    (section,) = [text for text in sections if text.startswith(f"{reason.lower()}\n")]
    for part in ("What it means.", "Meanwhile.", "What to do.", "How it ends."):
        assert f"**{part}**" in section


def test_the_runbook_tells_of_nothing_else() -> None:
    assert {name.upper() for name in re.findall(r"^### (\w+)$", RUNBOOK, flags=re.MULTILINE)} == set(KINDS)


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_an_incident_policy_without_time_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="times"):
        IncidentPolicy(quiet_seconds=wrong)
    with pytest.raises(ValueError, match="times"):
        IncidentPolicy(late_quiet_seconds=wrong)
    with pytest.raises(ValueError, match="times"):
        IncidentPolicy(longest_quiet_seconds=wrong)


def test_a_lull_between_two_waves_is_no_end() -> None:
    incidents = Incidents(IncidentPolicy(soft_batches=1, late_quiet_seconds=15.0, update_seconds=100.0), source="w")
    assert incidents.failed("lane/0", "TRANSACTION_TOO_OLD", at(0)) is not None
    for wave in range(10, 41, 10):
        incidents.healthy("lane/0", at(wave - 5))
        assert incidents.due(at(wave - 0.1)) == []
        incidents.failed("lane/0", "TRANSACTION_TOO_OLD", at(wave))
    incidents.healthy("lane/0", at(41))
    assert incidents.due(at(54.9)) == []
    assert [alert.status for alert in incidents.due(at(55))] == [RESOLVED]


@pytest.mark.parametrize("reason", ["TRANSACTION_TOO_OLD", "CONSUMER_LAG"])
def test_a_wave_each_minute_is_an_incident_or_two_and_not_one_each_minute(reason: str) -> None:
    incidents = Incidents(IncidentPolicy(soft_batches=1), source="w")
    told = []
    for second in range(3_600):
        if second % 60 == 0:
            told.append(incidents.failed("lanes", reason, at(second)))
        else:
            incidents.healthy("lanes", at(second))
        told += incidents.due(at(second))
    assert [alert.status for alert in told if alert is not None and alert.status is not UPDATE] == [
        *[OPEN, RESOLVED] * 2,
        OPEN,
    ]


def test_what_comes_back_at_once_but_not_in_waves_is_over_as_soon_as_the_first_time() -> None:
    incidents = Incidents(POLICY, source="w")
    for second in (0, 10, 20):
        assert incidents.failed("scorer", "CONNECTION_ERROR", at(second)) is not None
        incidents.healthy("scorer", at(second + 1))
        assert incidents.due(at(second + 2.9)) == []
        assert [alert.status for alert in incidents.due(at(second + 3))] == [RESOLVED]


def test_a_wave_that_comes_while_something_else_fails_has_the_quiet_of_a_wave() -> None:
    incidents = Incidents(IncidentPolicy(quiet_seconds=3.0, late_quiet_seconds=15.0), source="w")
    incidents.failed("lanes", "FEATURE_MISSING", at(0))
    incidents.failed("lanes", "CONSUMER_LAG", at(1))
    incidents.healthy("lanes", at(2))
    assert incidents.due(at(15.9)) == []
    assert [alert.status for alert in incidents.due(at(16))] == [RESOLVED]


def test_a_failure_of_another_kind_does_not_shorten_the_quiet_after_a_wave() -> None:
    incidents = Incidents(IncidentPolicy(soft_batches=1, quiet_seconds=3.0, late_quiet_seconds=15.0), source="w")
    incidents.failed("lane/0", "TRANSACTION_TOO_OLD", at(0))
    incidents.failed("lane/0", "FEATURE_MISSING", at(2))
    incidents.healthy("lane/0", at(3))
    assert incidents.due(at(14.9)) == []
    assert [alert.status for alert in incidents.due(at(15))] == [RESOLVED]


def test_a_successor_waits_as_long_after_a_wave() -> None:
    before = Incidents(IncidentPolicy(soft_batches=1, late_quiet_seconds=15.0), source="w")
    alert = before.failed("lane/0", "TRANSACTION_TOO_OLD", at(0))
    assert alert is not None
    after = Incidents(IncidentPolicy(late_quiet_seconds=15.0), source="w")
    assert after.adopt(alert, at(5))
    after.healthy("lane/0", at(6))
    assert after.due(at(19.9)) == []
    assert [alert.status for alert in after.due(at(20))] == [RESOLVED]
