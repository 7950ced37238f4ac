"""Curves: right by hand, and whatever the order of equal scores."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.curves import MOST_POINTS, Thresholds, histogram, reliability
from models.evaluation import auc, average_precision, expected_calibration_error

FRAUD = np.array([True, False, True, False, False])
TOLD = np.array([0.9, 0.8, 0.7, 0.2, 0.2])

rows = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), min_size=2, max_size=60)


def columns(made: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([fraud for fraud, _ in made]), np.array([told for _, told in made])


@pytest.mark.parametrize(("rate", "recall"), [(0.0, 0.5), (0.33, 0.5), (0.34, 1.0), (1.0, 1.0)])
def test_recall_is_the_most_that_a_threshold_finds_at_this_rate(rate: float, recall: float) -> None:
    assert Thresholds.of(FRAUD, TOLD).recall_at(rate) == recall


def test_equal_scores_are_never_told_apart() -> None:
    tied = Thresholds.of(np.array([True, False]), np.array([0.5, 0.5]))
    assert (tied.recall_at(0.5), tied.recall_at(1.0)) == (0.0, 1.0)


def test_curves_by_hand() -> None:
    curve = Thresholds.of(FRAUD, TOLD)
    assert curve.roc() == [(0, 0), (0, 0.5), (1 / 3, 0.5), (1 / 3, 1), (1, 1)]
    assert curve.precision_recall() == [(0.5, 1), (0.5, 0.5), (1, 2 / 3), (1, 0.4)]


@given(rows)
def test_the_area_under_the_curve_is_the_measure(made: list[tuple[bool, float]]) -> None:
    fraud, told = columns(made)
    points = Thresholds.of(fraud, told).roc()
    if not points:
        assert np.isnan(auc(fraud, told))
        return
    x, y = zip(*points, strict=True)
    assert np.trapezoid(y, x) == pytest.approx(auc(fraud, told))


@given(rows)
def test_steps_of_the_other_curve_add_up_to_average_precision(made: list[tuple[bool, float]]) -> None:
    fraud, told = columns(made)
    points = Thresholds.of(fraud, told).precision_recall()
    if points:
        recall, precision = map(np.array, zip(*points, strict=True))
        assert np.sum(np.diff(recall, prepend=0) * precision) == pytest.approx(average_precision(fraud, told))


@given(rows)
def test_bins_have_every_payment_and_give_the_calibration_error(made: list[tuple[bool, float]]) -> None:
    fraud, told = columns(made)
    bins = reliability(fraud, told)
    assert sum(each.count for each in bins) == len(fraud)
    off = sum(each.count * abs(each.mean_probability - each.fraud_share) for each in bins) / len(fraud)
    assert off == pytest.approx(expected_calibration_error(fraud, told))


@given(rows)
def test_the_histogram_has_every_payment_once(made: list[tuple[bool, float]]) -> None:
    fraud, told = columns(made)
    _, frauds, others = histogram(fraud, told)
    assert (sum(frauds), sum(others)) == (fraud.sum(), (~fraud).sum())


def test_a_long_curve_is_drawn_by_few_points_and_keeps_its_ends() -> None:
    chance = Random(1)
    told = np.array([chance.random() for _ in range(20_000)])
    fraud = np.array([chance.random() < each for each in told])
    points = Thresholds.of(fraud, told).roc()
    assert len(points) <= MOST_POINTS
    assert (points[0], points[-1]) == ((0.0, 0.0), (1.0, 1.0))
    x, y = zip(*points, strict=True)
    assert np.trapezoid(y, x) == pytest.approx(auc(fraud, told), abs=1e-3)


def test_without_fraud_there_is_no_curve() -> None:
    curve = Thresholds.of(np.array([False]), np.array([0.5]))
    assert (curve.roc(), curve.precision_recall()) == ([], [])
    assert np.isnan(curve.recall_at(0.5))
    assert reliability(np.array([]), np.array([])) == []
