"""The rival: XGBoost, trained anew each day on all that is labelled by then, with the same features as the product.

XGBoost comes with the optional group `compare`; nothing else needs it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.daily import SECONDS_PER_DAY

SEED = 1


class RivalMissing(Exception):
    """XGBoost is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How it is trained: on the labelled days before, each day again."""

    days: int = 60
    trees: int = 100
    depth: int = 6
    learning_rate: float = 0.1
    label_delay: float = 7.0  # days


def require_xgboost() -> Any:
    """The module. Raises RivalMissing."""
    try:
        import xgboost
    except ImportError as error:
        raise RivalMissing("XGBoost is not here: pip install 'holdfast[compare]'") from error
    return xgboost


def retrained_daily(
    features: NDArray[np.float32],
    is_fraud: NDArray[np.bool_],
    seconds: NDArray[np.float64],
    tested: Iterable[int],
    training: Training,
) -> NDArray[np.float64]:
    """Fraud probabilities of the payments of the tested days, NaN elsewhere and where nothing could be learnt.

    Rows are payments in order of time; days count from second 0. Raises RivalMissing.
    """
    xgboost = require_xgboost()
    how = {
        "objective": "binary:logistic",
        "max_depth": training.depth,
        "learning_rate": training.learning_rate,
        "tree_method": "hist",
        "seed": SEED,
        "nthread": 1,
    }
    told = np.full(seconds.size, np.nan)
    for day in tested:
        begin, end = np.searchsorted(seconds, [day * SECONDS_PER_DAY, (day + 1) * SECONDS_PER_DAY])
        known_until = (day - training.label_delay) * SECONDS_PER_DAY
        first, last = np.searchsorted(seconds, [known_until - training.days * SECONDS_PER_DAY, known_until])
        if begin == end or not 0 < is_fraud[first:last].sum() < last - first:
            continue
        model = xgboost.train(how, xgboost.DMatrix(features[first:last], is_fraud[first:last]), training.trees)
        told[begin:end] = model.predict(xgboost.DMatrix(features[begin:end]))
    return told
