"""The logistic function of arrays."""

import numpy as np
from numpy.typing import NDArray

_MOST = 700.0  # log-odds: beyond them exp overflows, and the probability is 0 or 1 all the same


def probabilities(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of these log-odds, elementwise; NaN stays NaN."""
    told: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -_MOST, _MOST)))
    return told
