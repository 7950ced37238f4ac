"""On simulated payments with all of the contract's fields, scored before their labels are learnt 7 days late."""

from functools import cache
from itertools import islice

import numpy as np
import pytest

from models.evaluation import Quality, quality
from models.simulator.policy import TrafficPolicy
from models.simulator.traffic import traffic
from models.warm_up import WarmUp
from streams.operating.warming import payment_of

pytestmark = [pytest.mark.quality, pytest.mark.timeout(900)]

PAYMENTS = 150_000  # about 32 days
SCORED_FROM = 100_000


@cache
def lived(seed: int = 5) -> Quality:
    policy = TrafficPolicy(seed=seed, cards=1_500, merchants=600)
    warm_up, rows = WarmUp(), []
    for number, simulated in enumerate(islice(traffic(policy), PAYMENTS)):
        payment = payment_of(simulated)
        scored = warm_up.live(payment, score=number >= SCORED_FROM)
        if scored.fraud_probability is not None:
            rows.append((payment.at, payment.card, payment.is_fraud, scored.fraud_probability))
    return quality(*map(np.array, zip(*rows, strict=True)))


def test_what_the_fields_of_a_payment_tell_finds_fraud():
    assert lived().average_precision >= 0.3


def test_probabilities_are_calibrated():
    assert lived().calibration_error <= 0.005
