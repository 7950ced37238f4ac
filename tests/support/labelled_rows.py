"""Feature rows with labels, seeded: fraud is likelier at high amounts and risky acceptors, never certain.

Features from `card_count_10m` on are at rest, as where producers tell little and cards pay seldom.
"""

import numpy as np

from models.features import FEATURES
from models.online import OnlineModel

AMOUNT = FEATURES.index("amount")
RISK = FEATURES.index("merchant_risk_7d")
MOVED = FEATURES.index("card_count_10m")


def labelled_rows(count: int, *, seed: int = 7) -> tuple[list[list[float]], list[bool]]:
    """`count` rows of all features, about one in ten a fraud."""
    chance = np.random.default_rng(seed)
    rows = np.zeros((count, len(FEATURES)))
    rows[:, :MOVED] = chance.gamma(2.0, 3.0, (count, MOVED))
    rows[:, RISK] = chance.random(count) ** 4
    log_odds = -4.5 + 0.8 * np.log1p(rows[:, AMOUNT]) + 4.0 * rows[:, RISK]
    frauds = chance.random(count) < 1 / (1 + np.exp(-log_odds))
    return rows.tolist(), frauds.tolist()


def taught(count: int = 1_600, *, seed: int = 7) -> OnlineModel:
    """A model that has learnt so many rows; from about 1,100 on it has hinges."""
    model = OnlineModel()
    for row, is_fraud in zip(*labelled_rows(count, seed=seed), strict=True):
        model.learn(row, is_fraud=is_fraud)
    return model
