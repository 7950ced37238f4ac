"""A forest on what is beneath it: on the logistic regression, whose gaps it fills, or alone, on the share of frauds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

from models.features import FEATURES
from models.forest import Forest
from models.online import OnlineModel, Row, compressed_row
from models.snapshot import Snapshot, probability
from models.track_record import TrackRecord
from models.trees import no_trees


class Prior(OnlineModel):
    """The share of frauds, whatever the features: what a forest alone stands on. It learns no weights."""

    def _learn_scale(self, row: Row) -> None: ...

    def _learn_weights(self, row: Row, *, is_fraud: bool) -> None:  # noqa: ARG002 - counted already
        self.intercept = self.scored_intercept = math.log((self.frauds + 1) / (self.labels - self.frauds + 1))

    def _should_bend(self) -> bool:
        return False


class BoostedModel:
    """Learns one label at a time, first in the model beneath, then in the forest.

    What is beneath learns as it would alone, and the forest what is left to say. Rows that are not finite are refused,
    and what a tree says is bounded, see `models.growth`.
    """

    def __init__(self, beneath: OnlineModel, forest: Forest | None = None) -> None:
        self.beneath = beneath
        self.forest = forest or Forest(FEATURES)

    @property
    def labels(self) -> int:
        """Learnt so far."""
        return self.beneath.labels

    @property
    def frauds(self) -> int:
        """Among them."""
        return self.beneath.frauds

    @property
    def track_record(self) -> TrackRecord:
        """Of what scores came to."""
        return self.beneath.track_record

    def score(self, features: Sequence[float]) -> float:
        """Probability of fraud, in [0, 1]. Learns nothing. Raises FeaturesInvalid."""
        compressed = compressed_row(features)[None]
        return probability(float((self.beneath.log_odds_of(compressed) + self.forest.trees.log_odds_of(compressed))[0]))

    def learn(self, features: Sequence[float], *, is_fraud: bool) -> None:
        """Learn one label. Raises FeaturesInvalid and then has learnt nothing."""
        compressed = compressed_row(features)
        told = self.beneath.learn_compressed(features, compressed, is_fraud=is_fraud)
        self.forest.learn(compressed, told=told, is_fraud=is_fraud, beneath=self.beneath.log_odds_of)

    def snapshot(self, *, label_offsets: Mapping[str, Any] | None = None) -> Snapshot:
        """The whole state as data."""
        return self.beneath.snapshot(
            label_offsets=label_offsets, trees=self.forest.trees, forest=self.forest.to_plain()
        )

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot, beneath: type[OnlineModel]) -> Self:
        """The model as it was; where there was no forest, one that has yet to grow. The snapshot must be verified."""
        if snapshot.forest is None:
            return cls(beneath.from_snapshot(snapshot))
        forest = Forest.from_plain(snapshot.forest, snapshot.trees or no_trees(), FEATURES)
        return cls(beneath.from_snapshot(snapshot), forest)
