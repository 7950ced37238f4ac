"""The stated error rates hold week by week on the simulator; on the public data see test_handbook.py."""

from itertools import islice

import pytest
from support.error_weeks import WEEK, hold, lived, weeks

from models.simulator.policy import TrafficPolicy
from models.simulator.traffic import traffic
from rules.policy import CostPolicy
from streams.operating.warming import payment_of

SIMULATED = 108_000  # payments of 1,000 cards: five weeks, of which the last two are judged
MOST_CALIBRATION_ERROR = 0.005

pytestmark = [pytest.mark.quality, pytest.mark.timeout(1_800)]


def test_on_the_simulator_the_levels_hold_and_few_are_sent_to_people() -> None:
    payments = [payment_of(each) for each in islice(traffic(TrafficPolicy(seed=11, cards=1_000)), SIMULATED)]
    judged, whole = weeks(lived(payments, CostPolicy()), payments[-1].at - 2 * WEEK)
    hold(judged, CostPolicy())
    assert len(judged) == 2
    assert whole.calibration_error <= MOST_CALIBRATION_ERROR  # of one week of it the error is mostly chance
