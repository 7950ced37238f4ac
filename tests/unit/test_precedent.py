"""Precedents: how alike two decisions are, and which cases are shown beside another one."""

from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs
from support.reviews import REVIEWED_AT, an_opening

from models.score import BASE, OTHER, Contribution
from rules.decision import Decision, Outcome
from rules.precedent import LEAST_ALIKE, alike, chief_reason, precedents
from rules.review_case import Case, Reviewer, VerdictReason
from rules.review_policy import ReviewPolicy

ANN = Reviewer(name="ann")
NOW = REVIEWED_AT

log_odds = st.floats(-5, 5).filter(lambda value: abs(value) > 1e-3)
reasons = st.dictionaries(st.sampled_from("abcdef"), log_odds, max_size=6)


def a_case(number: int, **changes: object) -> tuple[Case, Decision]:
    facts = {"pan_token": f"card-{number}", "merchant_id": f"m-{number}"} | changes
    opening = an_opening(number, ReviewPolicy(), **facts)
    return opening.case, opening.decision


def a_decision(moved: dict[str, float]) -> Decision:
    told = {**moved, BASE: -4.0, OTHER: 1.0}
    contributions = tuple(Contribution(feature=name, log_odds=value) for name, value in told.items())
    return structs.replace(a_case(1)[1], contributions=contributions)


def decided(number: int, *, minutes: int = 0, **changes: object) -> tuple[Case, Decision]:
    case, decision = a_case(number, **changes)
    at = NOW + timedelta(minutes=minutes)
    return case.decided(ANN, Outcome.BLOCK, VerdictReason.STOLEN_CARD, at), decision


@given(reasons, reasons)
def test_alike_is_mutual_and_between_opposite_and_the_same(mine: dict[str, float], theirs: dict[str, float]) -> None:
    there, back = alike(a_decision(mine), a_decision(theirs)), alike(a_decision(theirs), a_decision(mine))
    assert there == pytest.approx(back)
    assert -1.000001 <= there <= 1.000001


@given(reasons, st.floats(0.1, 10))
def test_the_same_reasons_are_alike_however_strong_and_turned_round_they_are_not(
    moved: dict[str, float], times: float
) -> None:
    assume(moved)
    stronger = {name: times * value for name, value in moved.items()}
    assert alike(a_decision(moved), a_decision(stronger)) == pytest.approx(1.0)
    assert alike(a_decision(moved), a_decision({name: -value for name, value in moved.items()})) == pytest.approx(-1.0)


def test_where_no_model_spoke_nothing_is_alike() -> None:
    silent = structs.replace(a_decision({}), contributions=())
    assert alike(silent, a_decision({"a": 1.0})) == alike(silent, silent) == 0.0
    assert chief_reason(silent) is None


def test_the_chief_reason_raised_the_score_most_and_is_a_feature() -> None:
    assert chief_reason(a_decision({"a": 0.5, "b": -3.0, "c": 0.7})) == "c"
    assert chief_reason(a_decision({"a": -0.5})) is None  # although OTHER and BASE would do


def test_the_most_alike_come_first_and_of_equals_the_latest() -> None:
    moved = {"contributions": a_decision({"a": 1.0}).contributions}
    unlike = {"contributions": a_decision({"b": 1.0}).contributions}
    _, decision = a_case(0, pan_token="tok", merchant_id="shop", **moved)
    cases = [
        decided(1, merchant_id="shop", **unlike),
        decided(2, pan_token="tok", **unlike),
        decided(3, minutes=1, merchant_id="shop", **unlike),
        decided(4, pan_token="tok", merchant_id="shop", **moved),
        decided(5, minutes=2, **moved),  # as like as the same card, and later
        decided(6, **unlike),  # in nothing
    ]
    found = precedents(decision, cases, 10)
    assert [each.decision.decision_id for each in found] == ["d.1.4", "d.1.5", "d.1.2", "d.1.3", "d.1.1"]
    assert found[0].verdict.reason is VerdictReason.STOLEN_CARD
    assert [each.decision.decision_id for each in precedents(decision, cases, 1)] == ["d.1.4"]


def test_what_people_did_not_decide_and_the_case_itself_are_no_precedents() -> None:
    case, decision = decided(1, pan_token="tok")
    open_case = a_case(2, pan_token="tok")
    overflown = (a_case(3, pan_token="tok")[0].displaced(NOW), a_case(3, pan_token="tok")[1])
    assert precedents(decision, [(case, decision), open_case, overflown], 10) == []


@given(reasons, reasons)
def test_reasons_alone_must_be_much_alike(mine: dict[str, float], theirs: dict[str, float]) -> None:
    decision = a_decision(mine)
    case, other = decided(2, contributions=a_decision(theirs).contributions)
    found = precedents(decision, [(case, other)], 10)
    assert bool(found) == (alike(decision, other) >= LEAST_ALIKE)
