"""Counting decisions as they are seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decision import DecisionSource, FallbackReason, Outcome
from streams.operating.pulse import mode
from streams.overseeing.tally import Recent, Seen, Tally, percentile


def seen(at, *, arrived=None, fallback=None, source=DecisionSource.MODEL, outcome=Outcome.APPROVE):
    return Seen(at, at - 0.01 if arrived is None else arrived, outcome, source, fallback, None)


def test_percentile_of_nothing_is_none():
    assert percentile([], 0.5) is None


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1.0))
def test_percentile_is_the_smallest_value_that_enough_do_not_exceed(values, share):
    ordered = sorted(values)
    found = percentile(ordered, share)

    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-9
    assert sum(value < found for value in ordered) < share * len(ordered) + 1e-9


def test_recent_forgets_what_is_older_than_its_seconds():
    recent = Recent(2.0)
    for at in (10.0, 11.0, 12.0, 13.0):
        recent.add(seen(at))
    recent.forget(13.5)

    assert recent.per_second == 1.0
    assert recent.by_outcome == {Outcome.APPROVE: 2}


def test_hard_rule_that_went_before_the_model_is_no_fallback():
    recent = Recent(2.0)
    recent.add(seen(1.0))
    recent.add(seen(1.0, source=DecisionSource.RULES, outcome=Outcome.BLOCK))

    assert recent.model_share == 1.0


@pytest.mark.parametrize(
    ("by_model", "by_rules", "said"),
    [
        (0, 0, "idle"),
        (10, 0, "model decides"),
        (9, 1, "model decides"),
        (5, 5, "model and rules decide: CIRCUIT_OPEN"),
        (0, 10, "rules decide: CIRCUIT_OPEN"),
    ],
)
def test_mode_says_who_decides_and_why_not_the_model(by_model, by_rules, said):
    recent = Recent(2.0)
    for _ in range(by_model):
        recent.add(seen(1.0))
    for _ in range(by_rules):
        recent.add(seen(1.0, source=DecisionSource.STAND_IN, fallback=FallbackReason.CIRCUIT_OPEN))

    assert mode(recent) == said


def test_decision_belongs_to_the_chapter_in_which_its_transaction_arrived():
    tally = Tally()
    tally.begin("first", 10.0)
    tally.begin("second", 20.0)
    tally.add(seen(20.5, arrived=19.9))
    tally.add(seen(20.5, arrived=20.0))

    assert [chapter.count for chapter in tally.chapters] == [1, 1]
    assert tally.chapters[0].age_ms(0.5) == pytest.approx(600.0)
    assert tally.chapters[1].age_ms(0.5) == pytest.approx(500.0)


def test_what_arrived_before_the_story_is_not_counted():
    tally = Tally()
    tally.begin("first", 10.0)
    tally.add(seen(10.5, arrived=9.0))

    assert tally.count == 0


def test_decisions_of_all_chapters_are_added_up():
    tally = Tally()
    for begins in (10.0, 20.0):
        tally.begin(f"from {begins}", begins)
        tally.add(seen(begins + 1))
        tally.add(seen(begins + 1, source=DecisionSource.RULES, outcome=Outcome.BLOCK))

    assert tally.decisions == {
        (Outcome.APPROVE, DecisionSource.MODEL): 2,
        (Outcome.BLOCK, DecisionSource.RULES): 2,
    }
