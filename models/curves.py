"""What a score is worth at every threshold, and what its numbers mean: ROC, precision and recall, reliability.

Rows are payments, as in `models.evaluation`: `is_fraud` and `probability`, each (n,), of which equal scores are never
told apart. Curves that are drawn have at most MOST_POINTS points.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation import CALIBRATION_BINS, Anything

MOST_POINTS = 200
SCORE_BINS = 40

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How many frauds and others lie at or above each distinct score, from the highest down."""

    scores: NDArray[np.float64]
    frauds: Counts
    others: Counts

    @classmethod
    def of(cls, is_fraud: Anything, probability: Anything) -> "Thresholds":
        """From rows."""
        fraud, told = np.asarray(is_fraud, dtype=bool), np.asarray(probability, dtype=float)
        order = np.argsort(-told, kind="stable")
        ranked = told[order]
        last_of_tie = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1) if ranked.size else order
        frauds = np.cumsum(fraud[order])[last_of_tie]
        return cls(scores=ranked[last_of_tie], frauds=frauds, others=last_of_tie + 1 - frauds)

    def recall_at(self, false_positive_rate: float) -> float:
        """The most fraud that a threshold finds with at most this share of the others above it; NaN without both."""
        if not self.scores.size or not self.frauds[-1] or not self.others[-1]:
            return float("nan")
        allowed = self.others <= false_positive_rate * self.others[-1]
        return float(self.frauds[allowed].max(initial=0) / self.frauds[-1])

    def roc(self) -> list[tuple[float, float]]:
        """False-positive rate and recall, from (0, 0) to (1, 1); empty without frauds or others."""
        if not self.scores.size or not self.frauds[-1] or not self.others[-1]:
            return []
        points = [(0.0, 0.0), *zip(self.others / self.others[-1], self.frauds / self.frauds[-1], strict=True)]
        return _thinned([(float(x), float(y)) for x, y in points])

    def precision_recall(self) -> list[tuple[float, float]]:
        """Recall and precision, recall rising; empty without frauds."""
        if not self.scores.size or not self.frauds[-1]:
            return []
        found = self.frauds > 0
        recall = self.frauds[found] / self.frauds[-1]
        precision = self.frauds[found] / (self.frauds + self.others)[found]
        return _thinned([(float(x), float(y)) for x, y in zip(recall, precision, strict=True)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Payments of about the same score: what the score said of them on average, and how many were fraud."""

    count: int
    mean_probability: float
    fraud_share: float


def reliability(is_fraud: Anything, probability: Anything, *, bins: int = CALIBRATION_BINS) -> list[Bin]:
    """The bins of `expected_calibration_error`, which end at quantiles of the score."""
    fraud, told = np.asarray(is_fraud, dtype=float), np.asarray(probability, dtype=float)
    if not fraud.size:
        return []
    edges = np.quantile(told, np.linspace(0.0, 1.0, bins + 1)[1:-1])
    which = np.searchsorted(edges, told, side="right")
    return [
        Bin(count=int(of.sum()), mean_probability=float(told[of].mean()), fraud_share=float(fraud[of].mean()))
        for of in (which == number for number in np.unique(which))
    ]


def histogram(is_fraud: Anything, probability: Anything) -> tuple[list[float], list[int], list[int]]:
    """Edges of equal width from 0 to 1, and how many frauds and others have their score between each two."""
    fraud, told = np.asarray(is_fraud, dtype=bool), np.asarray(probability, dtype=float)
    edges = np.linspace(0.0, 1.0, SCORE_BINS + 1)
    frauds, others = (np.histogram(told[of], bins=edges)[0] for of in (fraud, ~fraud))
    return edges.tolist(), frauds.tolist(), others.tolist()


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most MOST_POINTS of them, the ends among them, spread evenly over the line that they draw."""
    if len(points) <= MOST_POINTS:
        return points
    drawn = np.array(points)
    travelled = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(drawn, axis=0)).sum(axis=1))))
    chosen = np.unique(np.searchsorted(travelled, np.linspace(0.0, travelled[-1], MOST_POINTS)))
    return [points[each] for each in chosen.tolist()]
