"""The compiled scorer equals the model it was compiled from, and explains itself exactly."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.labelled_rows import AMOUNT, RISK, labelled_rows, taught

from models.features import FEATURES
from models.linear import TOP, LinearScorer
from models.online import OnlineModel
from models.snapshot import Snapshot, log_odds

batches = arrays(np.float64, st.tuples(st.integers(1, 6), st.just(len(FEATURES))), elements=st.floats(-1e12, 1e12))


@cache
def model() -> OnlineModel:
    return taught()


@cache
def snapshot() -> Snapshot:
    return model().snapshot()


@cache
def scorer() -> LinearScorer:
    return LinearScorer(snapshot())


@settings(deadline=None)  # the first example teaches the model
@given(batches)
def test_it_equals_river(rows):
    expected = [model().score(row) for row in rows.tolist()]
    assert scorer().score(rows).probabilities == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)  # the first example teaches the model
@given(batches)
def test_contributions_and_the_base_add_up_to_the_log_odds(rows):
    expected = [log_odds(snapshot(), row) for row in rows.tolist()]
    assert scorer().contributions(rows).sum(axis=1) + scorer().base == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)  # the first example teaches the model
@given(batches)
def test_the_contributions_told_are_the_greatest_first(rows):
    told = scorer().score(rows)
    added = scorer().contributions(rows)
    assert told.features.shape == told.log_odds.shape == (len(rows), TOP)
    for row, features, log_odds_added in zip(added, told.features, told.log_odds, strict=True):
        assert row[features].tolist() == log_odds_added.tolist()
        assert np.abs(log_odds_added).tolist() == sorted(np.abs(row), reverse=True)[:TOP]


def test_a_suspect_payment_is_explained_by_what_makes_it_suspect():
    row = np.array(labelled_rows(1)[0])
    row[0, AMOUNT], row[0, RISK] = 2_000.0, 1.0
    told = scorer().score(row)
    assert {AMOUNT, RISK} <= set(told.features[0].tolist())
    assert told.probabilities[0] > 0.5


def test_scoring_does_not_change_the_rows():
    rows = np.array(labelled_rows(10)[0])
    before = rows.copy()
    scorer().score(rows)
    assert np.array_equal(rows, before)


def test_an_empty_batch_has_no_scores():
    assert scorer().score(np.empty((0, len(FEATURES)))).probabilities.shape == (0,)


def test_a_row_that_is_not_finite_has_no_probability():
    rows = np.ones((2, len(FEATURES)))
    rows[0, AMOUNT] = np.nan
    probabilities = scorer().score(rows).probabilities
    assert np.isnan(probabilities[0])
    assert 0.0 <= probabilities[1] <= 1.0


def test_an_untaught_model_is_undecided():
    assert LinearScorer(OnlineModel().snapshot()).score(np.ones((1, len(FEATURES)))).probabilities.tolist() == [0.5]
