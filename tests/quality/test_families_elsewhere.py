"""Families of models on data that nobody had in mind: what trees add to a logistic regression.

`pytest -m quality -rP tests/quality/test_families_elsewhere.py` tells the figures.
"""

from collections.abc import Callable

import pytest
from support.elsewhere import another_generator, own_simulator, precisions

from models.classifier import untaught
from models.family import Family
from models.warm_up import Payment

pytestmark = [pytest.mark.quality, pytest.mark.timeout(1_200)]


@pytest.mark.parametrize(
    ("generator", "test_days", "gained"),
    [
        (lambda: another_generator(seed=3, customers=800, days=90), 28, 0.02),
        (lambda: own_simulator(seed=3, payments=100_000), 14, 0.02),
    ],
    ids=["another generator", "own simulator"],
)
def test_a_blend_is_better_than_a_logistic_regression(
    generator: Callable[[], list[Payment]], test_days: int, gained: float
) -> None:
    families = (untaught(Family.LOGISTIC), untaught(Family.BLEND))
    logistic, blend = precisions(generator(), families, test_days=test_days)
    print(f"logistic {logistic:.3f}, blend {blend:.3f}")  # noqa: T201 - for whoever asks
    assert blend >= logistic + gained
