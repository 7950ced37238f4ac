"""What the demo makes of what it reads, and that it fails when a promise is broken."""

from dataclasses import replace

import pytest
from rich.console import Console
from support.demo_records import alert, decide, publish
from support.ledgers import CLEAN

from rules.decision import DecisionSource, FallbackReason, Outcome
from streams.auditing.audit import Audit
from streams.operating.demo_display import screen
from streams.operating.demo_facts import Facts
from streams.operating.demo_story import AFTER, BEFORE, COLD, DURING, Script, StoryStuck, tell
from streams.operating.demo_summary import Result, summary
from streams.reconciling.glance import Glance
from streams.reconciling.report import Reconciliation

AT_ONCE = Script(before_seconds=0.0, slow_seconds=0.0, after_seconds=0.0, patience_seconds=0.3)


def by_rules(facts, at, times=10, reason=FallbackReason.CIRCUIT_OPEN):
    decide(facts, at, source=DecisionSource.STAND_IN, fallback=reason, times=times)


def good_run():
    """What a demo sees in which everything happens as promised."""
    facts = Facts()
    for number, name in enumerate((COLD, BEFORE, DURING, AFTER)):
        facts.tally.begin(name, 100.0 * (number + 1))
    by_rules(facts, 110.0, reason=FallbackReason.MODEL_COLD_START)
    publish(facts)
    decide(facts, 210.0, times=10)
    by_rules(facts, 310.0)
    alert(facts, "open", 311.0, started_at=310.0)
    decide(facts, 410.0, times=10)
    alert(facts, "resolved", 413.0, started_at=310.0)
    return facts


def result_of(facts, *, stuck=None, unreadable=0, waiting=0, **ledger):
    reconciliation = Reconciliation()
    for number in range(waiting):
        reconciliation.decided(Glance(f"d.0.{number}", Outcome.APPROVE, FallbackReason.CIRCUIT_OPEN, None, 100, "EUR"))
    return Result(
        facts=facts,
        audit=Audit(ledger=replace(CLEAN, **ledger), unreadable=unreadable),
        reconciliation=reconciliation,
        stuck=stuck,
        seconds=60.0,
    )


def failed(result):
    return [check.promise for check in result.checks if not check.holds]


def text_of(renderable):
    console = Console(width=120)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def test_everything_held():
    assert failed(result_of(good_run())) == []


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        ({"unaccounted": 1}, "unaccounted"),
        ({"decided_twice": 1}, "decided twice"),
        ({"contradictory": 1}, "contradictory, unfinished or unreadable"),
        ({"in_flight": 1}, "contradictory, unfinished or unreadable"),
        ({"unreadable": 1}, "contradictory, unfinished or unreadable"),
        ({"waiting": 1}, "the model spoke afterwards of what was decided without it"),
        ({"stuck": "waited 30 s for a first model"}, "the story went on"),
    ],
)
def test_demo_fails_when_a_promise_is_broken(broken, promise):
    result = result_of(good_run(), **broken)

    assert failed(result) == [promise]
    assert not result.holds


def test_demo_fails_without_a_model():
    facts = good_run()
    facts.model_version = None

    assert failed(result_of(facts)) == ["a model was learnt from labels"]


def test_demo_fails_when_the_slow_model_still_decides():
    facts = good_run()
    decide(facts, 320.0, times=2)

    assert failed(result_of(facts)) == ["rules decided while it was slow"]


def test_demo_fails_when_the_well_model_does_not_decide():
    facts = good_run()
    by_rules(facts, 220.0, times=11)

    assert failed(result_of(facts)) == ["the model decided while it was well"]


def test_demo_fails_when_an_alert_stays_open():
    facts = good_run()
    alert(facts, "open", 312.0, started_at=312.0, worker="worker-2")

    assert failed(result_of(facts)) == ["its alerts opened and resolved"]


def test_demo_fails_when_the_slow_spell_makes_no_alert():
    facts = good_run()
    facts.incidents.clear()

    assert failed(result_of(facts)) == ["its alerts opened and resolved"]


def test_alert_from_before_the_slow_spell_is_not_its_own():
    facts = good_run()
    facts.incidents.clear()
    alert(facts, "open", 250.0, started_at=250.0)
    alert(facts, "resolved", 260.0, started_at=250.0)

    assert failed(result_of(facts)) == ["its alerts opened and resolved"]


def test_update_belongs_to_the_open_incident():
    facts = Facts()
    alert(facts, "open", 10.0, started_at=10.0, count=3)
    alert(facts, "update", 30.0, started_at=10.0, count=500)

    (incident,) = facts.incidents
    assert (incident.count, incident.resolved_at) == (500, None)
    assert not facts.scorer_is_well


def test_snapshot_that_may_not_score_yet_is_no_model():
    facts = Facts()
    publish(facts, key=b"candidate")

    assert facts.model_version is None


def test_summary_shows_the_figures():
    shown = text_of(summary(result_of(good_run())))

    assert "Holdfast held" in shown
    assert "600-abc" in shown
    assert "slow spell" in shown
    assert "worker-1 RESPONSE_TIMEOUT for 103.0 s" in shown


def test_summary_of_a_demo_that_stopped_early_can_be_shown():
    facts = Facts()
    facts.tally.begin(COLD, 100.0)

    assert "Holdfast did not hold" in text_of(summary(result_of(facts, stuck="waited in vain")))


def test_screen_shows_chapters_decisions_and_alerts():
    shown = text_of(screen(good_run(), 420.0))

    assert "The model is slow, rules decide" in shown
    assert "RESPONSE_TIMEOUT" in shown
    assert "600 labels" in shown


class Clock:
    """Goes on a second at each look."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


async def test_story_goes_from_cold_start_to_recovery_and_mends_what_it_broke():
    facts, delays = Facts(), []
    facts.recent.seconds = 1e9
    decide(facts, 1.0)

    async def set_delay(delay_ms):
        delays.append(delay_ms)

    await tell(facts, AT_ONCE, set_delay, Clock())

    assert [chapter.name for chapter in facts.tally.chapters] == [COLD, BEFORE, DURING, AFTER]
    assert delays == [200, 0]


async def test_story_that_sees_no_model_says_what_it_waited_for():
    async def set_delay(_):
        raise AssertionError

    with pytest.raises(StoryStuck, match=r"waited 0\.3 s for a first model"):
        await tell(Facts(), AT_ONCE, set_delay, Clock())


async def test_story_does_not_break_a_model_that_is_not_well():
    facts = Facts()
    facts.recent.seconds = 1e9
    decide(facts, 1.0)
    alert(facts, "open", 1.0, started_at=1.0)

    async def set_delay(_):
        raise AssertionError

    with pytest.raises(StoryStuck, match="a model that decides steadily"):
        await tell(facts, AT_ONCE, set_delay, Clock())
