"""The yardstick: the Fraud Detection Handbook's simulated data, lived through label by label with our own code."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from models.evaluation import Quality, handbook_quality
from models.warm_up import Payment, WarmUp, prequential

DATA = Path(__file__).parents[3] / "shared/data/handbook-2018-04-01-to-2018-08-14.parquet"
EPOCH = 1_522_540_800  # 2018-04-01, where the file's seconds begin
DAY = 86_400
FIRST_DAY, TEST_DAY = 100, 129  # a month to learn from: `holdfast evaluate` takes all there is

pytestmark = [
    pytest.mark.quality,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not DATA.exists(), reason="the public Handbook data is not beside this checkout"),
]


def payments(columns: dict[str, list[int]]) -> Iterator[Payment]:
    for number, seconds, customer, terminal, amount, is_fraud in zip(*columns.values(), strict=True):
        yield Payment(EPOCH + seconds, str(number), str(customer), str(terminal), amount, "EUR", bool(is_fraud))


@cache
def handbook_week() -> tuple[Quality, float]:
    """Quality on the test week, and mean probability over the share of fraud in it."""
    from pyarrow import parquet

    names = ["transaction_id", "seconds", "customer_id", "terminal_id", "amount_minor", "is_fraud"]
    table = parquet.read_table(DATA, columns=names, filters=[("seconds", ">=", FIRST_DAY * DAY)])
    score_from = EPOCH + TEST_DAY * DAY
    lived = prequential(payments(table.to_pydict()), WarmUp(), score_from=score_from)
    probability = np.array([step.fraud_probability for step in lived], dtype=float)  # None becomes NaN
    seconds, card, is_fraud = (table[name].to_numpy() for name in ("seconds", "customer_id", "is_fraud"))
    scored = ~np.isnan(probability)
    calibration = probability[scored].mean() / is_fraud[scored].mean()
    return handbook_quality(seconds, card, is_fraud, probability, first_day=TEST_DAY), calibration


def test_average_precision_is_that_of_a_model_worth_having():
    quality, _ = handbook_week()
    assert quality.average_precision >= 0.70


def test_fraud_ranks_above_the_rest():
    quality, _ = handbook_week()
    assert quality.auc >= 0.88


def test_the_hundred_most_suspect_cards_hold_the_fraud():
    quality, _ = handbook_week()
    assert quality.card_precision >= 0.29


def test_probabilities_are_calibrated_in_the_large():
    _, calibration = handbook_week()
    assert 0.8 <= calibration <= 1.25
