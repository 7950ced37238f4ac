"""Complaints: the first word stands, only an upheld one is a label, and figures that add up."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from support.wire_samples import PLACE, a_decision, a_revision

from models.label import LabelSource, LabelState
from rules.complaint import (
    Complaint,
    ComplaintRefusal,
    ComplaintRefused,
    ComplaintState,
    figures_of,
    stopped_by_decision,
    stopped_by_revision,
)
from rules.decision import DecisionSource, Outcome
from rules.revision import RevisionKind, decided, decided_before

NOW = datetime(2026, 1, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
FINAL = replace(
    a_revision(),
    kind=RevisionKind.VERDICT,
    outcome=Outcome.BLOCK,
    decision_source=DecisionSource.REVIEWER,
    decided_outcome=Outcome.REVIEW,
    reviewers=("ann",),
    model_version=None,
)


def a_complaint(number: int = 1) -> Complaint:
    return Complaint(complaint_id=f"c-{number}", transaction_id="t-1", text="It was me.", complained_at=NOW)


def about_a_verdict() -> Complaint:
    stopped = stopped_by_revision(FINAL)
    assert stopped is not None
    return a_complaint().about(stopped)


def test_it_is_linked_to_who_stopped_the_payment() -> None:
    stopped = stopped_by_decision(structs.replace(a_decision(), outcome=Outcome.BLOCK), PLACE)
    assert stopped is not None
    linked = a_complaint().about(stopped)
    assert (linked.decision_id, linked.decision_source, linked.model_version) == ("d-1", "stand_in", "m-7")
    verdict = about_a_verdict()
    assert (verdict.decision_source, verdict.model_version, verdict.reviewers) == ("reviewer", None, ("ann",))


def test_what_the_console_adds_cannot_be_handed_in() -> None:
    forged = replace(a_complaint(), state=ComplaintState.UPHELD, settled_at=NOW, settled_by="ann")
    stopped = stopped_by_revision(FINAL)
    assert stopped is not None
    assert forged.about(stopped) == a_complaint().about(stopped)


@pytest.mark.parametrize("outcome", [Outcome.APPROVE, Outcome.REVIEW])
def test_what_was_not_blocked_stopped_nothing(outcome: Outcome) -> None:
    assert stopped_by_decision(structs.replace(a_decision(), outcome=outcome), PLACE) is None
    assert stopped_by_revision(replace(FINAL, outcome=outcome)) is None


def test_a_review_of_a_block_and_a_mere_re_score_stop_nothing_more() -> None:
    assert stopped_by_revision(replace(FINAL, decided_outcome=Outcome.BLOCK)) is None
    assert stopped_by_revision(replace(FINAL, kind=RevisionKind.RE_SCORE)) is None


def test_only_an_upheld_complaint_is_a_label() -> None:
    linked = about_a_verdict()
    assert linked.label() is None
    assert linked.settled(ComplaintState.REJECTED, "bob", NOW + HOUR).label() is None
    label = linked.settled(ComplaintState.UPHELD, "bob", NOW + HOUR).label()
    assert label is not None
    assert (label.source, label.state) == (LabelSource.CUSTOMER_COMPLAINT, LabelState.LEGITIMATE)
    assert (label.transaction_id, label.received_at) == ("t-1", NOW + HOUR)


def test_only_an_upheld_complaint_revises_what_stopped_the_payment() -> None:
    stopped = stopped_by_revision(FINAL)
    assert stopped is not None
    linked = a_complaint().about(stopped)
    assert linked.revision(stopped, "s-1") is None
    assert linked.settled(ComplaintState.REJECTED, "bob", NOW + HOUR).revision(stopped, "s-1") is None
    revision = linked.settled(ComplaintState.UPHELD, "bob", NOW + HOUR).revision(stopped, "s-1")
    assert revision is not None
    assert (revision.kind, revision.outcome, revision.agreement) == ("complaint_upheld", "approve", "differ")
    assert (revision.reviewers, revision.revised_at, revision.settings_version) == (("bob",), NOW + HOUR, "s-1")
    assert (revision.supersedes, revision.revision_id) == (FINAL.revision_id, f"{FINAL.decision_id}.complaint_upheld")
    assert decided_before(revision) == decided_before(FINAL)
    assert stopped_by_revision(revision) is None


def test_of_a_decision_that_blocked_the_revision_takes_the_place() -> None:
    blocked = structs.replace(a_decision(), outcome=Outcome.BLOCK)
    stopped = stopped_by_decision(blocked, PLACE)
    assert stopped is not None
    revision = a_complaint().about(stopped).settled(ComplaintState.UPHELD, "bob", NOW).revision(stopped, "s-1")
    assert revision is not None
    assert (revision.supersedes, revision.decision, revision.decided_outcome) == (None, PLACE, "block")
    assert decided_before(revision) == decided(blocked, PLACE)


def test_whoever_stopped_the_payment_does_not_judge_the_complaint() -> None:
    with pytest.raises(ComplaintRefused) as refused:
        about_a_verdict().settled(ComplaintState.REJECTED, "ann", NOW)
    assert refused.value.reason is ComplaintRefusal.OWN_VERDICT


def test_to_receive_it_is_not_to_settle_it() -> None:
    with pytest.raises(ValueError, match="upholding or rejecting"):
        about_a_verdict().settled(ComplaintState.RECEIVED, "bob", NOW)


SETTLING = st.sampled_from([ComplaintState.UPHELD, ComplaintState.REJECTED])


@given(st.lists(st.tuples(SETTLING, st.sampled_from(["ann", "bob", "cleo"])), min_size=1, max_size=6))
def test_whatever_is_said_the_first_word_that_was_taken_stands(words: list[tuple[ComplaintState, str]]) -> None:
    complaint = about_a_verdict()
    taken = []
    for number, (state, by) in enumerate(words):
        before = complaint
        try:
            complaint = complaint.settled(state, by, NOW + number * HOUR)
        except ComplaintRefused:
            assert complaint == before
        else:
            taken.append((complaint.state, complaint.settled_by, complaint.settled_at))
    assert len(set(taken)) <= 1
    assert "ann" not in {by for _, by, _ in taken}


COMPLAINTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(list(ComplaintState)), st.integers(0, 100)), max_size=12
)


@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 5000)), COMPLAINTS)
def test_figures_are_those_of_all_complaints(
    stopped: dict[str, int], found: list[tuple[str, ComplaintState, int]]
) -> None:
    complaints = [
        (name, replace(a_complaint(), state=state, settled_at=None if state == "received" else NOW + hours * HOUR))
        for name, state, hours in found
    ]
    figures = figures_of(stopped, complaints)
    assert set(figures) == set(stopped) | {name for name, _, _ in found}
    for name, each in figures.items():
        states = Counter(state for group, state, _ in found if group == name)
        assert (each.stopped, each.received) == (stopped.get(name, 0), states.total())
        assert (each.upheld, each.rejected) == (states["upheld"], states["rejected"])
        hours = [hours for group, state, hours in found if group == name and state != "received"]
        assert each.median_seconds is None if not hours else 3600 * min(hours) <= (each.median_seconds or 0)


def test_rates_are_of_what_was_stopped_and_of_what_was_settled() -> None:
    upheld = about_a_verdict().settled(ComplaintState.UPHELD, "bob", NOW + HOUR)
    rejected = about_a_verdict().settled(ComplaintState.REJECTED, "bob", NOW + 3 * HOUR)
    figures = figures_of({"model": 2000, "none": 0}, [("model", each) for each in (upheld, rejected, a_complaint())])
    assert (figures["model"].per_thousand, figures["model"].upheld_share) == (1.5, 0.5)
    assert figures["model"].median_seconds == 7200.0
    assert (figures["none"].per_thousand, figures["none"].upheld_share) == (None, None)
