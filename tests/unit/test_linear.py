"""The compiled scorer equals the model it was compiled from, and explains itself exactly."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.labelled_rows import AMOUNT, RISK, labelled_rows, taught
from support.plain_model import log_odds
from support.told import told_record

from models.features import FEATURES
from models.linear import TOP, LinearScorer
from models.online import OnlineModel
from models.snapshot import Snapshot, probability
from models.track_record import TrackRecord

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
    assert told.features.shape == (len(rows), TOP)
    for row, features, log_odds_added in zip(added, told.features, told.log_odds[:, :TOP], strict=True):
        assert row[features].tolist() == log_odds_added.tolist()
        assert np.abs(log_odds_added).tolist() == sorted(np.abs(row), reverse=True)[:TOP]


@settings(deadline=None)  # the first example teaches the model
@given(batches)
def test_what_is_told_adds_up_to_the_log_odds_of_the_probability(rows):
    told = scorer().score(rows)
    assert told.log_odds.shape == (len(rows), TOP + 2)
    assert [probability(each) for each in told.log_odds.sum(axis=1)] == pytest.approx(told.probabilities, abs=1e-9)
    assert told.log_odds.sum(axis=1) == pytest.approx([log_odds(snapshot(), row) for row in rows.tolist()], abs=1e-6)


def test_p_values_and_bounds_are_those_of_the_track_record():
    record = told_record(frauds=100)
    known = LinearScorer(replace(snapshot(), track_record=record.to_plain()))
    rows = np.array(labelled_rows(50)[0])
    told = known.score(rows)
    certainties = record.certainties()
    assert np.array_equal(told.p_values, certainties.p_values(told.probabilities))
    assert told.bounds == certainties.bounds


@pytest.mark.parametrize("record", [None, TrackRecord().to_plain()])
def test_where_too_little_is_known_there_are_no_p_values(record):
    told = LinearScorer(replace(snapshot(), track_record=record)).score(np.array(labelled_rows(3)[0]))
    assert np.isnan(told.p_values).all()
    assert told.bounds == (np.inf, 0.0)


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
