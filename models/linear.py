"""The compiled scorer: a snapshot as a few numpy arrays, for the hot path. It cannot learn.

A batch of 100 takes a few microseconds a row. What it must equal is in `models.river_model`, and number by
number in `tests/support/plain_model.py`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.hinges import Matrix, compress
from models.logistic import probabilities
from models.snapshot import BOUND, Snapshot
from models.track_record import UNKNOWN, TrackRecord

TOP = 5


class Scores(NamedTuple):
    """Of n rows: fraud probability (n,), and the TOP features (n, TOP), greatest first.

    `log_odds` (n, TOP + 2) is what each of these added, then all others together, then the base: a row sums to the
    log-odds of its probability. `p_values` (n, 2) are those as a legitimate payment and as a fraud, NaN where too
    little is known; below the one of `bounds` an approval may be automatic, from the other on a block.
    """

    probabilities: NDArray[np.float64]
    features: NDArray[np.intp]
    log_odds: NDArray[np.float64]
    p_values: NDArray[np.float64]
    bounds: tuple[float, float]


class LinearScorer:
    """Scores rows by the weights of one snapshot, which must have been verified."""

    def __init__(self, snapshot: Snapshot) -> None:
        variance = np.array([column.variance for column in snapshot.columns])
        self._hinges = snapshot.hinges
        self._mean = np.array([column.mean for column in snapshot.columns])
        self._per_deviation = np.divide(1.0, np.sqrt(variance), out=np.zeros_like(variance), where=variance > 0)
        self._weights = np.array([column.scored_weight for column in snapshot.columns])
        self._features = len(snapshot.hinges.names)
        # Hinges stand in the order of their features: those of one are summed up where they lie.
        self._bent, self._first_hinges = np.unique(snapshot.hinges.owners[self._features :], return_index=True)
        self._trees = snapshot.trees
        self.base = snapshot.scored_intercept  # log-odds of a typical transaction, every column at its mean
        if self._trees is not None:
            self.base += self._trees.base
        self.model_version = snapshot.model_version
        record = snapshot.track_record
        self._certainties = UNKNOWN if record is None else TrackRecord.from_plain(record).certainties()

    def contributions(self, rows: Matrix) -> Matrix:
        """What each feature of (n, features) adds to `base`, in hinges and trees: rows sum to the log-odds."""
        compressed = compress(rows)
        columns = self._hinges.expand_compressed(compressed)
        columns -= self._mean
        columns *= self._per_deviation
        np.clip(columns, -BOUND, BOUND, out=columns)
        columns *= self._weights
        added: Matrix = columns[:, : self._features]
        if len(self._bent):
            added[:, self._bent] += np.add.reduceat(columns[:, self._features :], self._first_hinges, axis=1)
        return added if self._trees is None else added + self._trees.contributions(compressed)

    def score(self, rows: Matrix) -> Scores:
        """Scores of (n, features) float64; what is not finite in a row makes its probability NaN."""
        added = self.contributions(rows)
        whole = added.sum(axis=1)
        size = -np.abs(added)
        greatest = np.argpartition(size, TOP, axis=1)[:, :TOP]  # in any order: sorting all takes three times as long
        by_size = np.argsort(np.take_along_axis(size, greatest, axis=1), axis=1)
        greatest = np.take_along_axis(greatest, by_size, axis=1)
        told = np.empty((len(rows), TOP + 2))
        told[:, :TOP] = np.take_along_axis(added, greatest, axis=1)
        told[:, TOP] = whole - told[:, :TOP].sum(axis=1)
        told[:, TOP + 1] = self.base
        told_fraud = probabilities(whole + self.base)
        p_values = self._certainties.p_values(told_fraud)
        return Scores(told_fraud, greatest, told, p_values, self._certainties.bounds)
