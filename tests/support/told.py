"""A track record that has been told of scores: calibrated ones, or such as drew away from the truth."""

from collections.abc import Callable

import numpy as np

from models.error_control import ErrorLevels
from models.track_record import TrackRecord, Wanted

LEVELS = ErrorLevels(most_fraud_approved=0.02, most_legitimate_blocked=0.2)


def wanted(probability: float) -> Wanted:
    """As costs would ask for it, whatever the amount."""
    return Wanted.APPROVE if probability < 0.1 else Wanted.BLOCK if probability > 0.8 else Wanted.REVIEW


def scores(count: int, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated fraud probabilities, most of them low, and outcomes."""
    chance = np.random.default_rng(seed)
    told = np.where(chance.random(count) < 0.03, chance.beta(6, 1, count), chance.beta(0.6, 60, count))
    return told, chance.random(count) < told


def tell(record: TrackRecord, told: np.ndarray, outcomes: np.ndarray, *, levels: ErrorLevels = LEVELS) -> TrackRecord:
    """Tell it of all of them, in their order."""
    for probability, is_fraud in zip(told.tolist(), outcomes.tolist(), strict=True):
        record.take(probability, wanted(probability), levels, is_fraud=is_fraud)
    return record


def told_record(frauds: int, *, drawn: Callable[[np.ndarray], np.ndarray] = lambda told: told) -> TrackRecord:
    """One that knows about so many frauds; scores are `drawn` away from the truth."""
    told, outcomes = scores(frauds * 30)
    return tell(TrackRecord(), drawn(told), outcomes)
