"""On simulated payments with all of the contract's fields, scored before their labels are learnt 7 days late.

The stated error rates hold week by week; on the public data see test_handbook.py.
"""

from collections.abc import Iterator
from functools import cache
from itertools import islice

import numpy as np
import pytest
from support.error_weeks import WEEK, Judged, Week, hold, lived, weeks

from models.evaluation import Quality, quality
from models.simulator.policy import TrafficPolicy
from models.simulator.traffic import traffic
from rules.policy import CostPolicy
from streams.operating.warming import payment_of

SIMULATED = 108_000  # payments of 1,000 cards: five weeks, of which the last two are judged
MOST_CALIBRATION_ERROR = 0.005

pytestmark = [pytest.mark.quality, pytest.mark.timeout(1_800)]


@cache
def last_weeks() -> tuple[list[Week], Week, Quality]:
    """Each of the two, both together, and how good their scores were."""
    payments = [payment_of(each) for each in islice(traffic(TrafficPolicy(seed=11, cards=1_000)), SIMULATED)]
    judge_from = payments[-1].at - 2 * WEEK
    rows = []

    def noted() -> Iterator[Judged]:
        for judged in lived(payments, CostPolicy()):
            payment, _, probability = judged[0]
            if payment.at >= judge_from:
                rows.append((payment.at, payment.card, payment.is_fraud, probability))
            yield judged

    judged, whole = weeks(noted(), judge_from)
    return judged, whole, quality(*map(np.array, zip(*rows, strict=True)))


def test_what_the_fields_of_a_payment_tell_finds_fraud() -> None:
    *_, found = last_weeks()
    assert found.average_precision >= 0.3


def test_probabilities_are_calibrated() -> None:
    _, whole, _ = last_weeks()
    assert whole.calibration_error <= MOST_CALIBRATION_ERROR  # of one week of it the error is mostly chance


def test_the_levels_hold_and_few_are_sent_to_people() -> None:
    judged, *_ = last_weeks()
    hold(judged, CostPolicy())
    assert len(judged) == 2
