"""What a snapshot says of a payment, number by number: the plain form that the compiled scorer is held against."""

import math
from collections.abc import Sequence

from models.snapshot import BOUND, Column, Snapshot


def log_odds(snapshot: Snapshot, features: Sequence[float]) -> float:
    """Log-odds of fraud."""
    values = snapshot.hinges.expand(features)
    return snapshot.scored_intercept + sum(
        column.scored_weight * scaled(column, value) for column, value in zip(snapshot.columns, values, strict=True)
    )


def scaled(column: Column, value: float) -> float:
    """Standard deviations from the mean, within BOUND."""
    if not column.variance:
        return 0.0
    return max(-BOUND, min((value - column.mean) / math.sqrt(column.variance), BOUND))
