"""Labels of a simulated run: after the decision, in their time, within bounds."""

from datetime import timedelta

import pytest
from support.simulated import SMALL, month

from models.label import LabelSource
from models.simulator.labels import labels_for
from models.simulator.policy import SimulatedTransaction
from rules.decision import Outcome
from streams.operating import aftermath
from streams.operating.aftermath import PATIENCE_SECONDS, Aftermath

FAR = SMALL.start + timedelta(days=5_000)
REPORTED = [one for one in month() if one.is_fraud and labels_for(one)]
COMPLAINER = next(one for one in month() if not one.is_fraud and labels_for(one, "block"))


def all_due(waiting: Aftermath) -> list[str]:
    return [label.label_id for label in waiting.due(FAR)]


def expected(ones: list[SimulatedTransaction]) -> list[str]:
    labels = [label for one in ones for label in labels_for(one)]
    return [label.label_id for label in sorted(labels, key=lambda label: (label.received_at, label.label_id))]


def test_labels_come_in_the_order_in_which_they_are_received() -> None:
    waiting = Aftermath(react=False)
    for one in reversed(REPORTED):
        waiting.sent(one, 0.0)
    assert all_due(waiting) == expected(REPORTED)


def test_a_label_is_not_due_before_it_is_received() -> None:
    waiting = Aftermath(react=False)
    waiting.sent(REPORTED[0], 0.0)
    received = labels_for(REPORTED[0])[0].received_at
    assert not list(waiting.due(received - timedelta(milliseconds=1)))
    assert list(waiting.due(received))


def test_nothing_is_said_of_what_is_not_decided() -> None:
    waiting = Aftermath(react=True)
    waiting.sent(REPORTED[0], 0.0)
    assert waiting.pending == 0


def test_a_wrongly_blocked_holder_complains() -> None:
    waiting = Aftermath(react=True)
    waiting.sent(COMPLAINER, 0.0)
    waiting.decided(COMPLAINER.transaction.transaction_id, Outcome.BLOCK)
    assert [label.source for label in waiting.due(FAR)] == [LabelSource.CUSTOMER_COMPLAINT]


def test_a_blocked_fraud_is_charged_back_by_nobody() -> None:
    waiting = Aftermath(react=True)
    for one in REPORTED:
        waiting.sent(one, 0.0)
        waiting.decided(one.transaction.transaction_id, Outcome.BLOCK)
    assert LabelSource.CHARGEBACK not in {label.source for label in waiting.due(FAR)}


def test_decisions_of_others_are_passed_over() -> None:
    waiting = Aftermath(react=True)
    waiting.decided("somebody-elses", Outcome.BLOCK)
    assert waiting.pending == 0


def test_without_a_decision_the_world_goes_on_as_if_approved() -> None:
    waiting = Aftermath(react=True)
    waiting.sent(REPORTED[0], 0.0)
    waiting.sent(COMPLAINER, PATIENCE_SECONDS)
    assert all_due(waiting) == expected(REPORTED[:1])


def test_no_more_are_awaited_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aftermath, "MOST_AWAITED", 2)
    waiting = Aftermath(react=True)
    for one in REPORTED[:5]:
        waiting.sent(one, 0.0)
    assert all_due(waiting) == expected(REPORTED[:3])


def test_labels_beyond_the_room_for_them_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aftermath, "MOST_LABELS", 1)
    waiting = Aftermath(react=False)
    for one in REPORTED[:5]:
        waiting.sent(one, 0.0)
    assert (waiting.pending, waiting.dropped) == (1, len(expected(REPORTED[:5])) - 1)
