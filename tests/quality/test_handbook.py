"""The yardstick: the Fraud Detection Handbook's simulated data, lived through label by label with our own code."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support.error_weeks import Judged, Week, hold, lived, weeks

from models.evaluation import Quality, handbook_quality
from models.warm_up import Payment
from rules.policy import CostPolicy

DATA = Path(__file__).parents[3] / "shared/data/handbook-2018-04-01-to-2018-08-14.parquet"
EPOCH = 1_522_540_800  # 2018-04-01, where the file's seconds begin
DAY = 86_400
FIRST_DAY, TEST_DAY = 100, 129  # a month to learn from: `holdfast evaluate` takes all there is
JUDGED_FROM = 123
MOST_CALIBRATION_ERROR = 0.005

pytestmark = [
    pytest.mark.quality,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not DATA.exists(), reason="the public Handbook data is not beside this checkout"),
]


def payments(columns: dict[str, list[int]]) -> Iterator[Payment]:
    for number, seconds, customer, terminal, amount, is_fraud in zip(*columns.values(), strict=True):
        yield Payment(EPOCH + seconds, str(number), str(customer), str(terminal), amount, "EUR", bool(is_fraud))


@cache
def handbook() -> tuple[Quality, float, list[Week]]:
    """Quality on the test week, mean probability over the share of fraud in it, and the last weeks as judged."""
    from pyarrow import parquet

    names = ["transaction_id", "seconds", "customer_id", "terminal_id", "amount_minor", "is_fraud"]
    table = parquet.read_table(DATA, columns=names, filters=[("seconds", ">=", FIRST_DAY * DAY)])
    told = []

    def noted() -> Iterator[Judged]:
        for judged in lived(payments(table.to_pydict()), CostPolicy()):
            told.append(judged[0].fraud_probability)
            yield judged

    by_week, _ = weeks(noted(), EPOCH + JUDGED_FROM * DAY)
    probability = np.array(told, dtype=float)
    seconds, card, is_fraud = (table[name].to_numpy() for name in ("seconds", "customer_id", "is_fraud"))
    tested = seconds >= TEST_DAY * DAY
    quality = handbook_quality(seconds, card, is_fraud, np.where(tested, probability, np.nan), first_day=TEST_DAY)
    return quality, probability[tested].mean() / is_fraud[tested].mean(), by_week


def test_average_precision_is_that_of_a_model_worth_having():
    quality, *_ = handbook()
    assert quality.average_precision >= 0.70


def test_fraud_ranks_above_the_rest():
    quality, *_ = handbook()
    assert quality.auc >= 0.88


def test_the_hundred_most_suspect_cards_hold_the_fraud():
    quality, *_ = handbook()
    assert quality.card_precision >= 0.29


def test_probabilities_are_calibrated_in_the_large():
    _, calibration, _ = handbook()
    assert 0.8 <= calibration <= 1.25


def test_the_levels_hold_in_each_week_and_few_are_sent_to_people():
    *_, judged = handbook()
    hold(judged, CostPolicy())
    assert len(judged) == 2
    assert all(each.calibration_error <= MOST_CALIBRATION_ERROR for each in judged)
