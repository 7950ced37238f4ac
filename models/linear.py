"""The compiled scorer: a snapshot as a few numpy arrays, for the hot path. It cannot learn.

A batch of 100 takes about a microsecond or two a row; `models.snapshot.log_odds` is the plain form it equals.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.hinges import Matrix
from models.snapshot import BOUND, Snapshot

TOP = 3


class Scores(NamedTuple):
    """Of n rows: fraud probability (n,), and the TOP features (n, TOP) with the log-odds each added, greatest first."""

    probabilities: NDArray[np.float64]
    features: NDArray[np.intp]
    log_odds: NDArray[np.float64]


class LinearScorer:
    """Scores rows by the weights of one snapshot, which must have been verified."""

    def __init__(self, snapshot: Snapshot) -> None:
        variance = np.array([column.variance for column in snapshot.columns])
        self._hinges = snapshot.hinges
        self._mean = np.array([column.mean for column in snapshot.columns])
        self._per_deviation = np.divide(1.0, np.sqrt(variance), out=np.zeros_like(variance), where=variance > 0)
        self._weights_by_feature = np.zeros((len(snapshot.columns), len(snapshot.hinges.names)))
        self._weights_by_feature[np.arange(len(snapshot.columns)), snapshot.hinges.owners] = [
            column.scored_weight for column in snapshot.columns
        ]
        self.base = snapshot.scored_intercept  # log-odds of a typical transaction, every column at its mean
        self.model_version = snapshot.model_version

    def contributions(self, rows: Matrix) -> Matrix:
        """What each feature of (n, features) adds to `base`, its hinges included: rows sum to the log-odds."""
        columns = self._hinges.expand_rows(rows)
        columns -= self._mean
        columns *= self._per_deviation
        np.clip(columns, -BOUND, BOUND, out=columns)
        added: Matrix = columns @ self._weights_by_feature
        return added

    def score(self, rows: Matrix) -> Scores:
        """Scores of (n, features) float64; what is not finite in a row makes its probability NaN."""
        added = self.contributions(rows)
        log_odds = added.sum(axis=1) + self.base
        greatest = np.argsort(-np.abs(added), axis=1)[:, :TOP]
        return Scores(
            probabilities=1.0 / (1.0 + np.exp(-np.clip(log_odds, -700.0, 700.0))),
            features=greatest,
            log_odds=np.take_along_axis(added, greatest, axis=1),
        )
