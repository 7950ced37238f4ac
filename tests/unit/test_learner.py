"""The learner: what a lesson leaves in the model, of acceptors and of cards."""

import math

import pytest
from support.labelled_rows import labelled_rows

from models.features import FEATURES
from models.learner import Learner
from models.verifying import verify

ROW = [1.0] * len(FEATURES)


def learn(learner: Learner, *, is_fraud: bool, corrects: bool = False, at: float = 100.0, card: str = "c-1") -> None:
    learner.learn(ROW, card=card, acceptor="m-1", at=at, is_fraud=is_fraud, corrects=corrects)


def test_changes_name_what_was_touched_and_are_told_once() -> None:
    learner = Learner()
    learn(learner, is_fraud=True)
    learner.learn(ROW, card="c-2", acceptor="m-2", at=100.0, is_fraud=False)
    changes = learner.changes()
    assert (changes.acceptors, changes.cards, changes.lessons) == ({"m-1", "m-2"}, {"c-1"}, 2)
    again = learner.changes()
    assert (again.acceptors, again.cards, again.lessons) == (set(), set(), 0)


def test_a_card_is_known_for_its_latest_fraud() -> None:
    learner = Learner()
    for at in (200.0, 300.0, 100.0):
        learn(learner, is_fraud=True, at=at)
    assert learner.card_fraud_at == {"c-1": 300.0}


def test_a_card_whose_fraud_was_taken_back_is_known_for_none() -> None:
    learner = Learner()
    learn(learner, is_fraud=True)
    learner.changes()
    learn(learner, is_fraud=False, corrects=True)
    assert learner.card_fraud_at == {}
    assert learner.changes().cards == {"c-1"}


def test_another_fraud_of_the_card_stays_known() -> None:
    learner = Learner()
    learn(learner, is_fraud=True, at=100.0)
    learn(learner, is_fraud=True, at=200.0)
    learn(learner, is_fraud=False, corrects=True, at=100.0)
    assert learner.card_fraud_at == {"c-1": 200.0}


def test_an_acceptor_remembers_a_fraud_found_late_and_a_fraud_taken_back() -> None:
    learner = Learner()
    learn(learner, is_fraud=False)
    learn(learner, is_fraud=True, corrects=True)
    late = learner.merchants["m-1"]
    learner.changes()
    learn(learner, is_fraud=False, corrects=True)
    assert late.has_fraud(100.0, 30)
    assert learner.merchants["m-1"] == late
    assert learner.changes().acceptors == set()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_features_that_are_not_finite_leave_no_trace(bad: float) -> None:
    learner = Learner()
    learner.learn([bad, *ROW[1:]], card="c-1", acceptor="m-1", at=100.0, is_fraud=True)
    assert (learner.refused, learner.model.labels, learner.merchants, learner.card_fraud_at) == (1, 0, {}, {})
    assert learner.changes().lessons == 0


def test_weights_stay_finite_whatever_is_mixed_in() -> None:
    learner = Learner()
    for number, (row, is_fraud) in enumerate(zip(*labelled_rows(400), strict=True)):
        wild = [math.nan, 1e300, -1e300, math.inf][number % 4]
        for features in (row, [wild, *row[1:]], [*row[:-1], wild], row[:-1]):
            learner.learn(features, card="c-1", acceptor="m-1", at=100.0, is_fraud=is_fraud)
    snapshot = learner.model.snapshot()
    verify(snapshot)
    assert all(math.isfinite(column.weight) for column in snapshot.columns)
    assert learner.refused == 800
