"""A scorer that behaves: it keeps a script of answers, and remembers what it was asked."""

from collections.abc import Callable
from math import inf

import numpy as np

from models.features import FEATURES
from rules.decision import FallbackReason
from streams.deciding.scorer_child import NotScored, Scored
from streams.deciding.scorer_frames import TOP, Answer


def scored(*probabilities: float, version: str = "m-1", feature: int = 0, log_odds: float = 0.5) -> Scored:
    """An answer that gives these probabilities."""
    rows = len(probabilities)
    answer = Answer(
        0,
        (inf, 0.0),
        np.array(probabilities, "<f8"),
        np.full((rows, TOP + 2), log_odds, "<f8"),
        np.full((rows, 2), np.nan, "<f8"),
        np.full((rows, TOP), feature, "<u2"),
    )
    return Scored(answer, version)


class FakeScorer:
    """Gives `probability` for each row, or raises `failure` while there is one, or lies while it has a `lie`."""

    def __init__(self, probability: float = 0.01) -> None:
        self.probability = probability
        self.failure: FallbackReason | None = None
        self.lie: Scored | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        self.asked: list[np.ndarray] = []
        self.condemned = 0
        self.restarts = 0

    async def score(self, matrix: bytes, rows: int, budget_seconds: float) -> Scored:
        self.asked.append(np.frombuffer(matrix, "<f8").reshape(rows, len(FEATURES)))
        self.meanwhile()
        if self.failure is not None:
            raise NotScored(self.failure)
        return self.lie or scored(*[self.probability] * rows)

    def condemn(self) -> None:
        self.condemned += 1
