"""What a snapshot says of a payment, number by number: the plain form that the compiled scorer is held against."""

import math
from collections.abc import Sequence

from models.snapshot import BOUND, Column, Snapshot
from models.trees import DEPTH, Trees


def log_odds(snapshot: Snapshot, features: Sequence[float]) -> float:
    """Log-odds of fraud."""
    values = snapshot.hinges.expand(features)
    linear = snapshot.scored_intercept + sum(
        column.scored_weight * scaled(column, value) for column, value in zip(snapshot.columns, values, strict=True)
    )
    compressed = values[: len(features)]
    return linear if snapshot.trees is None else linear + walked(snapshot.trees, compressed)[0]


def walked(trees: Trees, compressed: Sequence[float]) -> tuple[float, list[float]]:
    """What trees say, and what each feature moved: node by node."""
    told, moved = 0.0, [0.0] * len(compressed)
    for features, thresholds, values in zip(trees.features, trees.thresholds, trees.values, strict=True):
        node = 0
        for _ in range(DEPTH):
            below = 2 * node + (2 if compressed[features[node]] > thresholds[node] else 1)
            moved[features[node]] += values[below] - values[node]
            node = below
        told += values[node]
    return told, moved


def scaled(column: Column, value: float) -> float:
    """Standard deviations from the mean, within BOUND."""
    if not column.variance:
        return 0.0
    return max(-BOUND, min((value - column.mean) / math.sqrt(column.variance), BOUND))
