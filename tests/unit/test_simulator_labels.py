"""Labels: who says what of which transaction, and how late."""

from collections import Counter
from datetime import timedelta
from statistics import median

import msgspec
import pytest
from support.simulated import first, month

from models.label import Label, LabelSource, LabelState
from models.simulator.labels import LabelPolicy, Outcome, labels_for
from models.simulator.policy import SimulatedTransaction

FRAUDS = tuple(made for made in month() if made.is_fraud)
HONEST = tuple(made for made in month() if not made.is_fraud)[:30_000]


def all_labels(made: tuple[SimulatedTransaction, ...], outcome: Outcome | None = None) -> list[tuple[timedelta, Label]]:
    return [
        (label.received_at - one.transaction.event_time, label) for one in made for label in labels_for(one, outcome)
    ]


def delays(
    made: tuple[SimulatedTransaction, ...], source: LabelSource, outcome: Outcome | None = None
) -> list[timedelta]:
    return [delay for delay, label in all_labels(made, outcome) if label.source is source and label.state != "reversed"]


def told(made: tuple[SimulatedTransaction, ...], outcome: Outcome | None = None) -> Counter[tuple[str, str]]:
    return Counter((label.source.value, label.state.value) for _, label in all_labels(made, outcome))


def test_the_same_question_gets_the_same_labels_in_any_order() -> None:
    forwards = [labels_for(one) for one in FRAUDS]
    backwards = [labels_for(one) for one in reversed(FRAUDS)]
    assert forwards == backwards[::-1]


def test_as_approved_is_what_no_outcome_means() -> None:
    assert all_labels(FRAUDS) == all_labels(FRAUDS, "approve")


def test_warnings_come_within_days_and_chargebacks_within_weeks() -> None:
    warned, charged = (
        delays(FRAUDS, LabelSource.EARLY_FRAUD_WARNING),
        delays(FRAUDS, LabelSource.CHARGEBACK),
    )
    assert timedelta(days=2) < median(warned) < timedelta(days=5)
    assert max(warned) <= timedelta(days=14)
    assert timedelta(days=18) < median(charged) < timedelta(days=32)
    assert timedelta(days=5) <= min(charged)
    assert max(charged) <= timedelta(days=115)


def test_most_approved_fraud_is_reported_and_some_never() -> None:
    silent = sum(not labels_for(one) for one in FRAUDS) / len(FRAUDS)
    assert 0.05 < silent < 0.18


def test_nearly_all_honest_ones_get_no_label_and_mature() -> None:
    silent = sum(not labels_for(one) for one in HONEST) / len(HONEST)
    assert 0.97 < silent < 0.995


def test_honest_ones_are_refunded_disputed_and_now_and_then_charged_back() -> None:
    kinds = told(HONEST)
    assert kinds["refund", "legitimate"] > 100
    assert kinds["chargeback", "disputed"] > 0
    assert 0 < kinds["chargeback", "fraud"] < 0.002 * len(HONEST)


def test_a_reversal_follows_the_chargeback_it_takes_back() -> None:
    every = [labels_for(one) for one in FRAUDS + HONEST]
    reversed_ones = [labels for labels in every if any(label.state is LabelState.REVERSED for label in labels)]
    assert reversed_ones
    for labels in reversed_ones:
        charged = next(label for label in labels if label.source is LabelSource.CHARGEBACK and label.state == "fraud")
        assert labels[-1].state is LabelState.REVERSED
        assert labels[-1].received_at - charged.received_at >= timedelta(days=5)


def test_a_blocked_fraud_yields_no_chargeback() -> None:
    assert set(told(FRAUDS, "block")) == {("manual_review", "fraud")}


def test_only_a_wrong_block_is_complained_of() -> None:
    complaint = "customer_complaint", "legitimate"
    assert set(told(HONEST, "block")) == {complaint}
    assert told(HONEST, "block")[complaint] == pytest.approx(0.35 * len(HONEST), rel=0.05)
    assert complaint not in told(HONEST)
    assert complaint not in told(FRAUDS) | told(FRAUDS, "block") | told(FRAUDS, "review")


def test_complaints_come_within_hours() -> None:
    complaints = delays(HONEST, LabelSource.CUSTOMER_COMPLAINT, "block")
    assert timedelta(hours=3) < median(complaints) < timedelta(hours=12)


def test_each_review_ends_in_a_verdict_within_two_days_that_is_mostly_right() -> None:
    verdicts = delays(FRAUDS, LabelSource.MANUAL_REVIEW, "review")
    assert len(verdicts) == len(FRAUDS)
    assert max(verdicts) <= timedelta(days=2)
    assert told(FRAUDS, "review")["manual_review", "fraud"] == pytest.approx(0.9 * len(FRAUDS), rel=0.05)
    assert told(HONEST, "review")["manual_review", "legitimate"] == pytest.approx(0.97 * len(HONEST), rel=0.02)


def test_a_fraud_that_the_review_let_pass_is_charged_back_later() -> None:
    passed = [one for one in FRAUDS if labels_for(one, "review")[0].state is LabelState.LEGITIMATE]
    assert sum(len(labels_for(one, "review")) > 1 for one in passed) > 0.6 * len(passed)


def test_labels_are_valid_in_order_and_never_before_what_they_speak_of() -> None:
    outcomes: tuple[Outcome | None, ...] = (None, "approve", "block", "review")
    for one in FRAUDS:
        for outcome in outcomes:
            labels = labels_for(one, outcome)
            assert [label.received_at for label in labels] == sorted(label.received_at for label in labels)
            assert len({label.label_id for label in labels}) == len(labels)
            for label in labels:
                assert one.transaction.event_time < label.effective_at <= label.received_at
                assert msgspec.json.decode(msgspec.json.encode(label), type=Label) == label


def test_the_policy_says_how_often_each_party_speaks() -> None:
    silent = LabelPolicy(fraud_warned=0.0, fraud_charged_back=0.0, fraud_refunded=0.0)
    loud = LabelPolicy(fraud_warned=1.0, fraud_refunded=0.0)
    assert not any(labels_for(one, None, silent) for one in FRAUDS)
    assert all(labels_for(one, None, loud)[0].state is LabelState.FRAUD for one in FRAUDS)


def test_label_ids_differ_between_transactions() -> None:
    labels = [label.label_id for one in first(3_000) for label in labels_for(one, "review")]
    assert len(set(labels)) == len(labels) >= 3_000
