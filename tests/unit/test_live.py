"""The picture of an installation: what comes on its topics, as figures of the last seconds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from support.wire_samples import a_decision, an_alert_event

from models.alert import AlertStatus
from rules.decision import DecisionSource, FallbackReason, Outcome
from rules.mode import Mode
from streams.overseeing.live import CHART_SECONDS, HIT_MINUTES, MOST_INCIDENTS, RECENT_SECONDS, Live
from streams.reviewing.web.chart import HEIGHT, WIDTH, stacked
from streams.wire.alert import write_alert
from streams.wire.codec import write_decision
from streams.wire.heartbeat import Heartbeat, write_heartbeat

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def decide(live: Live, seconds_ago: float, **changes: object) -> None:
    live.take_decision(write_decision(structs.replace(a_decision(), **changes)), NOW.timestamp() - seconds_ago)


def test_rates_ages_and_fallbacks_are_of_the_last_seconds_only() -> None:
    live = Live()
    decide(live, RECENT_SECONDS + 1, age_ms=9_000)
    for age in (10, 20, 30):
        decide(live, 2, age_ms=age, outcome=Outcome.APPROVE, decision_source=DecisionSource.MODEL, fallback_reason=None)
    decide(live, 1, age_ms=400)
    decide(live, 0, age_ms=9_000)  # of a second that is not over
    view = live.view(NOW)
    assert view.per_second == 4 / RECENT_SECONDS
    assert view.made == {
        (Outcome.APPROVE, DecisionSource.MODEL): 3 / RECENT_SECONDS,
        (Outcome.REVIEW, DecisionSource.STAND_IN): 1 / RECENT_SECONDS,
    }
    assert (view.age_p50, view.age_p99) == (20, 400)
    assert view.fallback_share == 0.25
    assert view.fallbacks == {FallbackReason.RESPONSE_TIMEOUT: 1 / RECENT_SECONDS}


def test_of_nothing_nothing_is_said() -> None:
    view = Live().view(NOW)
    assert (view.per_second, view.age_p50, view.fallback_share, view.lag) == (0.0, None, None, None)
    assert view.seconds == ({},) * CHART_SECONDS


@given(st.lists(st.integers(min_value=1, max_value=3 * CHART_SECONDS), max_size=60))
def test_the_chart_has_each_decision_in_its_second(ago: list[int]) -> None:
    live = Live()
    for each in sorted(ago, reverse=True):
        decide(live, each)
    seconds = live.view(NOW).seconds
    assert [each.get(Outcome.REVIEW, 0) for each in seconds] == [
        ago.count(CHART_SECONDS - place) for place in range(CHART_SECONDS)
    ]


@pytest.mark.parametrize("value", [None, b"", b"{", b"\xff", b"[]", b'{"outcome": "approve"}'])
def test_what_cannot_be_read_is_left_out(value: bytes | None) -> None:
    live = Live()
    live.take_decision(value, NOW.timestamp() - 1)
    live.take_alert(value)
    live.take_heartbeat(b"worker-1", value)
    view = live.view(NOW)
    assert (view.per_second, view.incidents, view.workers) == (0.0, (), ())


def test_an_incident_keeps_its_moments_and_is_open_until_it_is_over() -> None:
    live, opened = Live(), an_alert_event()
    restored, settled = NOW, NOW + timedelta(minutes=1)
    contained = replace(opened.data, contained_at=NOW - timedelta(minutes=1))
    live.take_alert(write_alert(replace(opened, data=contained)))
    assert len(live.view(NOW).open_incidents) == 1
    for status, moments in (
        (AlertStatus.RESOLVED, {"restored_at": restored}),
        (AlertStatus.SETTLED, {"settled_at": settled}),
    ):
        live.take_alert(write_alert(replace(opened, data=replace(opened.data, status=status, **moments))))
    [incident] = live.view(NOW).incidents
    assert (incident.contained_at, incident.restored_at, incident.settled_at) == (
        contained.contained_at,
        restored,
        settled,
    )
    assert live.view(NOW).open_incidents == ()


def test_the_latest_incident_is_first_and_old_ones_are_forgotten() -> None:
    live, event = Live(), an_alert_event()
    for number in range(MOST_INCIDENTS + 5):
        live.take_alert(
            write_alert(replace(event, data=replace(event.data, started_at=NOW + timedelta(seconds=number))))
        )
    incidents = live.view(NOW).incidents
    assert len(incidents) == MOST_INCIDENTS
    assert incidents[0].started_at == NOW + timedelta(seconds=MOST_INCIDENTS + 4)


def test_workers_are_told_from_others_and_a_clean_end_is_no_silence() -> None:
    live = Live()
    worker = Heartbeat(instance="worker-1", at=NOW, started_at=NOW, mode=Mode.DEGRADED)
    for beat in (worker, replace(worker, instance="worker-2"), replace(worker, instance="learner", mode=None)):
        live.take_heartbeat(beat.instance.encode(), write_heartbeat(beat))
    live.take_heartbeat(b"worker-2", None)
    view = live.view(NOW)
    assert ([each.instance for each in view.workers], [each.instance for each in view.others]) == (
        ["worker-1"],
        ["learner"],
    )


def test_rule_hits_are_of_the_last_hour() -> None:
    live = Live()
    decide(live, 60 * (HIT_MINUTES + 1), rule_hits=("old",))
    decide(live, 90, rule_hits=("velocity", "amount"))
    decide(live, 0, rule_hits=("velocity",))
    assert live.rule_hits(NOW) == {"velocity": 2, "amount": 1}


def test_bands_of_the_chart_lie_on_each_other_and_end_at_its_top() -> None:
    chart = stacked([{Outcome.APPROVE: 6, Outcome.BLOCK: 4}, {}])
    assert chart.top == 10
    block, review, approve = (each.points.split() for each in chart.areas)
    assert block[0] == f"0.0,{0.6 * HEIGHT:.1f}"
    assert review[0] == block[0]
    assert approve[:2] == ["0.0,0.0", f"{WIDTH:.1f},{HEIGHT:.1f}"]
