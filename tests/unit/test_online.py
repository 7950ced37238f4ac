"""The online model: learns label by label, cannot be poisoned, and goes on unchanged after a restart."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.labelled_rows import AMOUNT, labelled_rows, taught

from models.evaluation import auc
from models.features import FEATURES
from models.online import FeaturesInvalid, OnlineModel
from models.snapshot import from_plain, to_plain
from models.verifying import verify

wild_rows = st.lists(st.floats(-1e300, 1e300), min_size=len(FEATURES), max_size=len(FEATURES))


def restarted(model: OnlineModel) -> OnlineModel:
    return OnlineModel.from_snapshot(from_plain(json.loads(json.dumps(to_plain(model.snapshot())))))


def test_an_untaught_model_is_undecided():
    assert OnlineModel().score([1.0] * len(FEATURES)) == 0.5


def test_it_learns_to_tell_fraud():
    rows, frauds = labelled_rows(1_000, seed=8)
    model = taught()
    assert auc(np.array(frauds), np.array([model.score(row) for row in rows])) > 0.74  # knowing the truth gives 0.77


def test_its_probabilities_are_calibrated():
    rows, frauds = labelled_rows(2_000, seed=9)
    model = taught(4_000)
    assert np.mean([model.score(row) for row in rows]) == pytest.approx(np.mean(frauds), rel=0.2)


def test_scoring_teaches_it_nothing():
    model = taught(300)
    before = model.snapshot()
    for row in labelled_rows(50)[0]:
        model.score(row)
    assert model.snapshot() == before


@pytest.mark.parametrize("count", [0, 1, 31, 700, 1_600])
def test_learning_after_a_restart_gives_the_same_weights_bit_by_bit(count):
    model = taught(count)
    second = restarted(model)
    for row, is_fraud in zip(*labelled_rows(1_200, seed=11), strict=True):
        model.learn(row, is_fraud=is_fraud)
        second.learn(row, is_fraud=is_fraud)
    assert second.snapshot() == model.snapshot()


def test_hinges_appear_once_there_is_fraud_enough():
    assert taught(999).hinges.columns == FEATURES
    assert len(taught(1_600).hinges.columns) > len(FEATURES)


def test_new_hinges_do_not_change_what_it_says():
    rows, frauds = labelled_rows(3_000)
    model = taught(999)
    probe = rows[0]
    for row, is_fraud in zip(rows[999:], frauds[999:], strict=True):
        before, columns = model.score(probe), len(model.hinges.columns)
        model.learn(row, is_fraud=is_fraud)
        if len(model.hinges.columns) > columns:
            break
    assert len(model.hinges.columns) > len(FEATURES)
    assert model.score(probe) == pytest.approx(before, rel=0.05)  # one label's step, no more


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_a_row_that_is_not_finite_is_refused_and_nothing_learnt(poison):
    model = taught(50)
    before = model.snapshot()
    row = [1.0] * len(FEATURES)
    row[AMOUNT] = poison
    with pytest.raises(FeaturesInvalid, match="amount"):
        model.learn(row, is_fraud=True)
    with pytest.raises(FeaturesInvalid, match="amount"):
        model.score(row)
    assert model.snapshot() == before


@pytest.mark.parametrize("length", [0, 27, 29])
def test_a_row_of_another_length_is_refused(length):
    with pytest.raises(FeaturesInvalid, match=f"not {len(FEATURES)}"):
        OnlineModel().learn([1.0] * length, is_fraud=False)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(wild_rows, st.booleans()), min_size=1, max_size=20), wild_rows)
def test_no_finite_row_makes_it_unfit(learnt, row):
    model = taught(40)
    for wild, is_fraud in learnt:
        model.learn(wild, is_fraud=is_fraud)
    assert 0.0 <= model.score(row) <= 1.0
    verify(model.snapshot())


def test_one_enormous_row_moves_a_typical_score_only_a_little():
    model = taught()
    row = labelled_rows(1)[0][0]
    before = model.score(row)
    model.learn([1e12] * len(FEATURES), is_fraud=True)
    for usual, is_fraud in zip(*labelled_rows(64, seed=12), strict=True):
        model.learn(usual, is_fraud=is_fraud)
    assert model.score(row) == pytest.approx(before, abs=0.1)
