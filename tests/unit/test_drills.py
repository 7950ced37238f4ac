"""Drills are judged by the topics: each expectation can fail, and the four moments are those of the records."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.wire_samples import a_mode_event

from models.alert import Alert, AlertStatus, Severity
from rules.decision import FallbackReason
from rules.mode import Mode
from streams.operating.drills.catalogue import DRILLS
from streams.operating.drills.drill import Drill, Moments, Where, nothing
from streams.operating.drills.evidence import Decided, Evidence
from streams.operating.drills.judging import Judgement, judge
from streams.operating.drills.playing import _lasts
from streams.operating.drills.report import conclusion, markdown, page
from streams.operating.drills.results import ResultsUnreadable, Round, keep, kept, missing, result_of
from streams.operating.drills.scorers import SCORERS
from streams.operating.drills.stage import LONGEST
from streams.wire.alert import AlertEvent, event_of
from streams.wire.mode_event import ModeEvent

DOCS = Path(__file__).parents[2] / "docs" / "drills"
SHORT = [name for name, each in DRILLS.items() if not each.takes_minutes]
BEGAN = 1_000.0
MOMENTS = Moments(calm_from=BEGAN - 2, began=BEGAN, ended=BEGAN + 5, over=BEGAN + 12)
DRILL = Drill(name="dead", summary="It dies.", begins=nothing, reasons=frozenset({"CONNECTION_ERROR"}))


def at(second: float) -> datetime:
    return datetime.fromtimestamp(BEGAN + second, UTC)


def alert(status: AlertStatus, second: float, *, opened: float = 0.5, reason: str = "CONNECTION_ERROR") -> AlertEvent:
    data = Alert(
        status=status,
        dedup_key=f"worker-1/{reason}",
        severity=Severity.CRITICAL,
        reason=reason,
        component="scorer",
        started_at=at(opened),
        detected_at=at(opened),
        restored_at=at(second) if status is AlertStatus.RESOLVED else None,
        settled_at=at(second) if status is AlertStatus.SETTLED else None,
        count=3,
    )
    return event_of(data, event_id=f"{status}{second}", source="/w", area="scoring", what="down", time=at(second))


def decided(second: float, *, age: float = 0.02, model: bool = True, missed: bool = False) -> Decided:
    reason = None if model else FallbackReason.CONNECTION_ERROR
    return Decided(BEGAN + second, BEGAN + second + age, reason, missed)


def good() -> Evidence:
    decisions = [decided(n / 10, model=not 0 <= n < 40) for n in range(-20, 110)]
    alerts = [alert(AlertStatus.OPEN, 0.6), alert(AlertStatus.RESOLVED, 7.0), alert(AlertStatus.SETTLED, 8.0)]
    return Evidence(decisions=decisions, alerts=alerts)


def failed(judgement: Judgement) -> list[str]:
    return [check.expected for check in judgement.checks if not check.holds]


def test_a_drill_in_which_all_came_as_it_must_passes_with_its_four_moments() -> None:
    judgement = judge(DRILL, good(), MOMENTS)

    assert failed(judgement) == []
    timeline = judgement.timeline
    assert (timeline.detected, timeline.contained) == (pytest.approx(0.6), pytest.approx(0.6))
    assert (timeline.restored, timeline.settled) == (pytest.approx(7.0), pytest.approx(8.0))
    assert (judgement.decisions, judgement.without_model) == (110, 40)
    assert judgement.p99_ms == pytest.approx(20.0)


def without(status: AlertStatus) -> Callable[[Evidence], None]:
    def drop(evidence: Evidence) -> None:
        evidence.alerts = [each for each in evidence.alerts if each.data.status is not status]

    return drop


BROKEN = {
    "nobody hears of it": (
        lambda e: e.alerts.clear(),
        ["people hear of CONNECTION_ERROR, and of nothing else", "within 2 s"],
    ),
    "late": (
        lambda e: e.alerts.__setitem__(0, alert(AlertStatus.OPEN, 2.1)),
        ["within 2 s"],
    ),
    "another alarm": (
        lambda e: e.alerts.extend(
            [
                alert(AlertStatus.OPEN, 3.0, opened=3.0, reason="CONSUMER_LAG"),
                alert(AlertStatus.RESOLVED, 4.0, opened=3.0, reason="CONSUMER_LAG"),
            ]
        ),
        ["people hear of CONNECTION_ERROR, and of nothing else"],
    ),
    "it never ends": (without(AlertStatus.RESOLVED), ["each incident opens once and resolves once"]),
    "it ends twice": (
        lambda e: e.alerts.append(alert(AlertStatus.RESOLVED, 9.0)),
        ["each incident opens once and resolves once"],
    ),
    "decided late": (
        lambda e: e.decisions.extend(decided(1.0, age=0.2) for _ in range(2)),
        ["decided at p99 within 150 ms"],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_drill_fails_for_each_thing_that_comes_otherwise(name: str) -> None:
    breaks, expected = BROKEN[name]
    evidence = good()
    breaks(evidence)
    assert failed(judge(DRILL, evidence, MOMENTS)) == expected


def test_a_drill_fails_whose_patience_ended() -> None:
    moments = replace(MOMENTS, patience_ended=True)
    assert failed(judge(DRILL, good(), moments)) == ["all is well and settled afterwards"]


def test_a_live_drill_that_had_to_be_broken_off_fails() -> None:
    assert failed(judge(DRILL, good(), replace(MOMENTS, broken_off=True))) == ["it need not be broken off"]


async def test_a_live_drill_is_broken_off_once_payments_are_late() -> None:
    evidence, drill = Evidence(), replace(DRILL, lasts_seconds=30.0)
    evidence.decisions += [Decided(time.time(), time.time(), None, missed=n % 8 == 0) for n in range(80)]
    assert await asyncio.wait_for(_lasts(drill, evidence, guarded=True), 5.0)
    evidence.decisions = [each._replace(missed=False) for each in evidence.decisions]
    assert not await _lasts(replace(drill, lasts_seconds=0.3), evidence, guarded=True)


def mode_change(second: float, worker: str = "worker-1", after: Mode = Mode.NORMAL) -> ModeEvent:
    event = a_mode_event()
    return replace(event, time=at(second), subject=worker, data=replace(event.data, after=after))


def found_wrong(drill: str, evidence: Evidence, moments: Moments = MOMENTS) -> list[str]:
    return [check.expected for check in DRILLS[drill].expects(evidence, moments) if not check.holds]


def test_the_model_is_replaced_once_nothing_goes_without_it_any_more() -> None:
    for drill in ("hung-model", "dead-model", "crashing-model", "hungry-model", "trickling-model", "short-model"):
        assert found_wrong(drill, good()) == []
        late = Evidence(decisions=[decided(n / 10, model=not 0 <= n < 51) for n in range(-20, 110)])
        assert found_wrong(drill, late) == ["the model decides again within 5 s"]
        never = Evidence(decisions=[decided(n / 10, model=n % 10 > 0) for n in range(110)])
        assert found_wrong(drill, never) == ["the model decides again within 5 s"]


def test_of_payments_that_come_at_the_same_moment_some_may_be_without_the_model() -> None:
    evidence = Evidence(decisions=[decided(n // 2 / 10, model=n % 2 == 0 or n > 20) for n in range(220)])
    assert found_wrong("dead-model", evidence) == []


def test_one_late_payment_long_after_the_scorer_was_replaced_is_no_scorer_that_is_gone() -> None:
    evidence = Evidence(decisions=[decided(n / 100, model=not 0 <= n < 200 and n != 600) for n in range(1_100)])
    assert found_wrong("dead-model", evidence) == []


def test_load_that_swings_changes_the_mode_a_few_times_and_opens_an_incident_once() -> None:
    few = Evidence(modes=[mode_change(n) for n in (-1, 1, 2, 3, 4)] + [mode_change(n, "worker-2") for n in range(4)])
    few.alerts = good().alerts
    assert found_wrong("swinging-load", few) == []
    few.modes.append(mode_change(5))
    few.alerts = [*few.alerts, alert(AlertStatus.OPEN, 9.0, opened=9.0)]
    assert found_wrong("swinging-load", few) == [
        "the mode of a worker changes 4 times at most",
        "no incident opens twice",
    ]


def test_after_minutes_away_all_that_waited_is_decided_and_the_mode_normal_again() -> None:
    moments = replace(MOMENTS, ended=BEGAN + 120, over=BEGAN + 300)
    waited = [decided(n, age=150.0 - n) for n in range(120)]
    fresh = [decided(n, age=0.1) for n in range(150, 160)]
    modes = [mode_change(1.0, after=Mode.STAND_IN), mode_change(170.0), mode_change(175.0, "worker-2")]
    assert found_wrong("workers-away", Evidence(decisions=waited + fresh, modes=modes), moments) == []
    late = [decided(n, age=300.0 - n) for n in range(120)]
    old = [decided(n, age=1.2) for n in range(150, 160)]
    modes = [mode_change(170.0), mode_change(171.0, "worker-2", after=Mode.DEGRADED)]
    assert found_wrong("workers-away", Evidence(decisions=late + old, modes=modes), moments) == [
        "payments are 1 s old at p99 from 30 s after it on",
        "what waited is decided within 120 s",
        "every worker is in mode normal 60 s later",
    ]
    waits_for = DRILLS["workers-away"].waits_for
    assert [waits_for(Evidence(modes=modes[:1]), seconds) for seconds in (39.0, 41.0)] == [False, True]
    assert not waits_for(Evidence(modes=modes), 41.0)


def test_what_a_live_drill_brings_about_topics_alone_take_back() -> None:
    anywhere = {name for name, drill in DRILLS.items() if drill.where is Where.ANYWHERE}
    sandbox = {name for name, drill in DRILLS.items() if drill.where is Where.SANDBOX}
    assert anywhere == {"forced-rules", "malformed-flood"}
    assert sandbox == {each.name for each in SCORERS}
    assert max(DRILLS[name].lasts_seconds for name in anywhere | sandbox) < LONGEST.total_seconds()


def test_where_the_model_must_stay_rules_may_not_decide() -> None:
    drill = replace(DRILL, model_stays=True)
    assert failed(judge(drill, good(), MOMENTS)) == ["the model goes on deciding"]


def test_where_nobody_need_hear_an_alarm_fails() -> None:
    drill = replace(DRILL, reasons=frozenset())
    assert failed(judge(drill, good(), MOMENTS)) == ["nobody is woken"]


def test_it_is_contained_once_no_payment_that_comes_misses_its_deadline() -> None:
    evidence = good()
    evidence.decisions += [decided(1.5, missed=True), decided(3.5, age=0.1, missed=True)]
    assert judge(DRILL, evidence, MOMENTS).timeline.contained == pytest.approx(3.5)


@pytest.mark.parametrize(
    ("alerts", "opened", "unsettled"),
    [
        ([], 0, 0),
        ([alert(AlertStatus.OPEN, 1)], 1, 0),
        ([alert(AlertStatus.OPEN, 1), alert(AlertStatus.RESOLVED, 2)], 0, 1),
        ([alert(AlertStatus.OPEN, 1), alert(AlertStatus.RESOLVED, 2), alert(AlertStatus.SETTLED, 3)], 0, 0),
        (
            [
                alert(AlertStatus.OPEN, 1),
                alert(AlertStatus.RESOLVED, 2),
                alert(AlertStatus.OPEN, 3, opened=3),
                alert(AlertStatus.SETTLED, 4),
            ],
            1,
            0,
        ),
    ],
)
def test_what_is_open_and_what_is_not_settled(alerts: Sequence[AlertEvent], opened: int, unsettled: int) -> None:
    evidence = Evidence(alerts=list(alerts))
    assert (len(evidence.open_incidents()), len(evidence.unsettled())) == (opened, unsettled)


def a_round(*evidences: Evidence, unaccounted: int = 0) -> Round:
    results = tuple(result_of(judge(DRILL, each, MOMENTS), each.decisions) for each in evidences)
    return Round(
        rate=300.0,
        machine="a <machine>",
        results=results,
        transactions=40,
        unaccounted=unaccounted,
        decided_twice=0,
        contradictory=0,
    )


def slower() -> Evidence:
    evidence = good()
    evidence.decisions += [decided(1.0, age=0.4) for _ in range(9)]
    evidence.alerts[0] = alert(AlertStatus.OPEN, 1.6)
    return evidence


def test_the_report_has_each_drill_with_its_moments_and_needs_nothing_from_elsewhere() -> None:
    rounds = [a_round(good())]
    assert "| dead | passed | 0.6 s | 0.6 s | 7.0 s | 8.0 s | 20 | 20 | 40 of 110 |" in markdown(rounds)
    written = page(rounds)
    assert "a &lt;machine&gt;" in written
    assert "<svg" in written
    assert "<script" not in written
    assert conclusion(rounds) == (
        "1 of 1 drills passed. 40 transactions: 0 unaccounted, 0 decided twice, 0 contradictory."
    )


def test_the_report_of_several_times_has_the_median_and_the_worst_and_says_what_did_not_hold() -> None:
    rounds = [a_round(good()), a_round(slower()), a_round(good())]
    said = markdown(rounds)
    assert (
        "| dead | passed 2 of 3 | 0.6 / 1.6 s | 0.6 / 1.6 s | 7.0 / 7.0 s | 8.0 / 8.0 s | 20 / 20 | 20 / 400 |" in said
    )
    assert "- ✗ decided at p99 within 150 ms: 2 of 3 times; else 400 ms" in said
    assert "- ✓ within 2 s: 3 of 3 times" in said
    assert "120 transactions: 0 unaccounted" in said


def test_a_round_in_which_a_payment_was_lost_did_not_pass() -> None:
    assert a_round(good()).passed
    assert not a_round(good(), unaccounted=1).passed
    assert not a_round(slower()).passed


def test_the_documents_have_each_drill_at_500_a_second_short_ones_twenty_times_and_each_passed() -> None:
    rounds = kept(DOCS / "results.jsonl")
    assert all(played.passed and played.rate == 500.0 for played in rounds)
    times = Counter(result.drill for played in rounds for result in played.results)
    assert {name: times[name] for name in SHORT} == dict.fromkeys(SHORT, 20)
    assert {name: times[name] for name in DRILLS if name not in SHORT} == dict.fromkeys(
        ("quiet", "swinging-load", "workers-away"), 1
    )
    assert (DOCS / "report.md").read_text("utf-8") == markdown(rounds)


def test_rounds_are_kept_and_read_again_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "new" / "drills.jsonl"
    assert kept(file) == []
    first, second = a_round(good()), a_round(slower(), good())
    keep(file, first)
    keep(file, second)
    assert kept(file) == [first, second]
    with file.open("a") as cut_off:
        cut_off.write('{"rate":')
    with pytest.raises(ResultsUnreadable, match="line 3"):
        kept(file)


def test_only_what_was_not_played_often_enough_is_played() -> None:
    once = a_round(good())
    assert missing(["dead", "slow"], 2, []) == [["dead", "slow"], ["dead", "slow"]]
    assert missing(["dead", "slow"], 2, [once]) == [["dead", "slow"], ["slow"]]
    assert missing(["dead"], 1, [once, once]) == []


def test_every_failure_kind_of_the_model_the_stream_and_the_people_has_its_drill() -> None:
    assert set(DRILLS) == {
        "slow-model",
        "hung-model",
        "dead-model",
        "nan-model",
        "trickling-model",
        "crashing-model",
        "hungry-model",
        "raising-model",
        "out-of-range-model",
        "short-model",
        "confused-model",
        "stale-model",
        "consumer-lag",
        "broker-outage",
        "malformed-flood",
        "poisoned-rules",
        "wrong-model",
        "learner-dead",
        "silence",
        "forced-rules",
        "quiet",
        "swinging-load",
        "workers-away",
    }
