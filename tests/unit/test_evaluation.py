"""The measures, held against their definitions written out plainly, and the Handbook's protocol on small cases."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluation import (
    auc,
    average_precision,
    card_precision,
    expected_calibration_error,
    handbook_quality,
    handbook_test_rows,
    quality,
)

DAY = 86_400
scored = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9])), min_size=1, max_size=40)


def columns(pairs):
    return np.array([is_fraud for is_fraud, _ in pairs]), np.array([probability for _, probability in pairs])


@settings(deadline=None)
@given(scored)
def test_auc_is_the_chance_that_a_fraud_scores_higher(pairs):
    frauds = [p for is_fraud, p in pairs if is_fraud]
    others = [p for is_fraud, p in pairs if not is_fraud]
    wins = [1.0 if f > o else 0.5 if f == o else 0.0 for f, o in product(frauds, others)]
    expected = sum(wins) / len(wins) if wins else math.nan
    assert auc(*columns(pairs)) == pytest.approx(expected, nan_ok=True)


@settings(deadline=None)
@given(scored)
def test_average_precision_is_precision_times_the_recall_gained(pairs):
    total = sum(is_fraud for is_fraud, _ in pairs)
    expected, before = (0.0 if total else math.nan), 0
    for threshold in sorted({p for _, p in pairs}, reverse=True):
        above = [is_fraud for is_fraud, p in pairs if p >= threshold]
        if total:
            expected += (sum(above) - before) / total * sum(above) / len(above)
        before = sum(above)
    assert average_precision(*columns(pairs)) == pytest.approx(expected, nan_ok=True)


def test_a_perfect_order_has_auc_and_average_precision_one():
    fraud, probability = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    assert auc(fraud, probability) == average_precision(fraud, probability) == 1.0


def test_the_calibration_error_is_the_mean_distance_of_bins_from_their_share():
    probability = np.repeat([0.1, 0.2, 0.9], [10, 10, 20])
    fraud = np.repeat([1, 0, 1, 0, 1, 0], [1, 9, 4, 6, 10, 10])  # shares 0.1, 0.4, 0.5
    assert expected_calibration_error(fraud, probability, bins=4) == pytest.approx((10 * 0 + 10 * 0.2 + 20 * 0.4) / 40)


def test_what_a_bin_has_too_much_and_another_too_little_does_not_make_up_for_each_other():
    probability, fraud = np.repeat([0.2, 0.8], 50), np.repeat([1, 0], 50)
    assert expected_calibration_error(fraud, probability, bins=2) == pytest.approx((0.8 + 0.8) / 2)


@given(scored, st.randoms())
def test_the_calibration_error_does_not_depend_on_the_order_of_rows(pairs, chance):
    mixed = list(pairs)
    chance.shuffle(mixed)
    assert expected_calibration_error(*columns(mixed)) == pytest.approx(expected_calibration_error(*columns(pairs)))


def test_what_is_drawn_by_its_probability_is_calibrated():
    chance = np.random.default_rng(4)
    probability = chance.beta(0.05, 4.0, 60_000)
    assert expected_calibration_error(chance.random(60_000) < probability, probability) < 0.003
    assert math.isnan(expected_calibration_error(np.array([]), np.array([])))


def test_card_precision_takes_the_highest_score_of_each_card():
    day, card = np.zeros(4, int), np.array([1, 1, 2, 3])
    fraud, probability = np.array([0, 1, 0, 0]), np.array([0.9, 0.1, 0.5, 0.4])
    assert card_precision(day, card, fraud, probability, k=1) == 1.0
    assert card_precision(day, card, fraud, probability, k=2) == 0.5


def test_a_card_found_is_not_looked_at_again():
    day, card = np.array([0, 1]), np.array([1, 1])
    fraud, probability = np.array([1, 1]), np.array([0.9, 0.9])
    assert card_precision(day, card, fraud, probability, k=1) == 0.5


def test_a_card_missed_is_looked_at_again():
    day, card = np.array([0, 0, 1]), np.array([1, 2, 1])
    fraud, probability = np.array([1, 0, 1]), np.array([0.1, 0.9, 0.9])
    assert card_precision(day, card, fraud, probability, k=1) == 0.5


def test_cards_known_to_be_defrauded_are_left_out_of_the_test_week():
    first = 100
    days = np.array([first - 15, first - 14, first - 8, first - 7, first, first, first, first + 1, first + 1])
    cards = np.array([1, 2, 3, 4, 1, 2, 3, 4, 5])
    frauds = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0])
    rows = handbook_test_rows(days * DAY, cards, frauds, first_day=first)
    assert rows.tolist() == [False, False, False, False, True, False, False, False, True]


def test_fraud_of_the_last_seven_days_is_not_known_yet():
    days, cards = np.array([93, 100, 101]), np.array([4, 4, 4])
    assert handbook_test_rows(days * DAY, cards, np.array([1, 0, 0]), first_day=100).tolist() == [False, True, False]


def test_the_test_week_has_seven_days():
    days = np.arange(98, 110)
    rows = handbook_test_rows(days * DAY, np.arange(12), np.zeros(12), first_day=100)
    assert days[rows].tolist() == [100, 101, 102, 103, 104, 105, 106]


def test_the_quality_of_a_week_counts_only_its_rows():
    seconds = np.array([99, 100, 100, 101]) * DAY
    told = handbook_quality(
        seconds, np.arange(4), np.array([1, 1, 0, 0]), np.array([0.0, 0.9, 0.1, 0.2]), first_day=100
    )
    assert (told.transactions, told.frauds, told.auc, told.average_precision) == (3, 1, 1.0, 1.0)


def test_quality_without_fraud_has_no_meaning():
    told = quality(np.zeros(2), np.arange(2), np.zeros(2), np.array([0.1, 0.2]))
    assert math.isnan(told.auc)
    assert math.isnan(told.average_precision)


def test_rows_without_a_probability_are_refused():
    with pytest.raises(ValueError, match="no probability"):
        quality(np.zeros(2), np.arange(2), np.array([0, 1]), np.array([0.1, np.nan]))
