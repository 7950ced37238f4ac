"""A snapshot in River's own classes: what the arrays are held against. The only file that knows River.

River has no such trees as ours: what they say is one more column of its regression, with weight 1.

Each snapshot carries probes, rows with the probability that this model gives them; whoever loads a snapshot must give
them the same, or refuses it. So no score is told that River's model would not tell.
"""

import math
from collections.abc import Sequence

import numpy as np
from river import linear_model, preprocessing
from river.utils import VectorDict

from models.hinges import compress
from models.snapshot import BOUND, Snapshot

_TREES = "trees"


class RiverModel:
    """River's standard scaler, its values bounded, and River's logistic regression with the averaged weights."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.hinges = snapshot.hinges
        self.trees = snapshot.trees
        columns = dict(zip(snapshot.hinges.columns, snapshot.columns, strict=True))
        self.scaler = preprocessing.StandardScaler()
        self.scaler.counts.update({name: column.count for name, column in columns.items()})
        self.scaler.means.update({name: column.mean for name, column in columns.items()})
        self.scaler.vars.update({name: column.variance for name, column in columns.items()})
        self.scoring = linear_model.LogisticRegression()
        self.scoring.intercept = snapshot.scored_intercept
        set_weights(self.scoring, {name: column.scored_weight for name, column in columns.items()} | {_TREES: 1.0})

    def score(self, features: Sequence[float]) -> float:
        """Probability of fraud, in [0, 1]; features must be finite."""
        row = self.scaled(self.row(features))
        if self.trees is not None:
            row[_TREES] = float(self.trees.log_odds_of(compress(np.array([features])))[0])
        return float(self.scoring.predict_proba_one(row)[True])

    def row(self, features: Sequence[float]) -> dict[str, float]:
        """The columns of one payment, by name."""
        return dict(zip(self.hinges.columns, self.hinges.expand(features), strict=True))

    def scaled(self, row: dict[str, float]) -> dict[str, float]:
        """In standard deviations, within BOUND."""
        scaled = self.scaler.transform_one(row)
        return {name: z if -BOUND <= z <= BOUND else math.copysign(BOUND, z) for name, z in scaled.items()}


def set_weights(regression: linear_model.LogisticRegression, weights: dict[str, float]) -> None:
    """River reads weights in public but has no public way to set them."""
    regression._weights = VectorDict(weights)  # noqa: SLF001
