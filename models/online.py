"""The online model: logistic regression on hinges, River's arithmetic carried out in arrays.

River walks through a dictionary for each label, of a hundred columns and more; arrays do the same several times as fast
(`python -m bench.model`). What a snapshot says is vouched for by River itself, see `models.river_model`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.features import FEATURES
from models.hinges import Hinges, Matrix, compress, no_hinges, refined
from models.river_model import RiverModel
from models.sample import Sample
from models.snapshot import BOUND, Column, Probe, Snapshot, content_hash, probability
from models.track_record import TrackRecord
from models.trees import Trees

LEARNING_RATE = 0.1
FIRST_SQUARES = 1.0  # AdaGrad's epsilon. Were it tiny, the first step of a rarely moved column would be a full one
INTERCEPT_RATE = 0.01
AVERAGED_LABELS = 10_000
_AVERAGE_EVERY = 32
_FRAUDS_TO_BEND = 100
_LABELS_TO_BEND = 1_000
_BEND_AGAIN_AFTER = 4  # times as many frauds
_FRAUDS_FOR_A_KNOT = 10  # a column that fewer events speak of learns their noise (Peduzzi et al. 1996)
_PROBES = 8

Row = NDArray[np.float64]


class FeaturesInvalid(ValueError):
    """Features that must not be learnt or scored: the wrong number of them, or one not finite."""


class OnlineModel:
    """Learns one label at a time and says the probability of fraud.

    Nothing learnt can make it unfit: rows that are not finite are refused, every column is bounded to BOUND standard
    deviations, and AdaGrad with FIRST_SQUARES bounds each step by LEARNING_RATE. Scores come from averaged weights
    (Polyak and Juditsky 1992), which are steadier than the last ones. Classes are learnt as they come, without
    resampling, so that probabilities stay calibrated.
    """

    def __init__(self) -> None:
        self.labels = 0
        self.frauds = 0
        self.hinges: Hinges = no_hinges(FEATURES)
        self.track_record = TrackRecord()  # whoever knows what scores came to tells it
        self.iterations = 0
        self.intercept = 0.0
        self.scored_intercept = 0.0
        self._bend_at = _FRAUDS_TO_BEND
        self._sample = Sample()
        unlearnt = Column(count=0, mean=0.0, variance=0.0, weight=0.0, scored_weight=0.0, gradient_squares=0.0)
        self._restore([unlearnt] * len(self.hinges.columns))

    def score(self, features: Sequence[float]) -> float:
        """Probability of fraud, in [0, 1]. Learns nothing. Raises FeaturesInvalid."""
        row = self.hinges.expand_compressed(compressed_row(features))
        return probability(self._told(self._scaled(row)))

    def log_odds_of(self, compressed: Matrix) -> Matrix:
        """Of the probabilities that `score` tells of rows (n, features): (n,)."""
        rows = self._scaled(self.hinges.expand_compressed(compressed))
        rows *= self._scored_weights
        told: Matrix = rows.sum(axis=1) + self.scored_intercept
        return told

    def learn(self, features: Sequence[float], *, is_fraud: bool) -> None:
        """Learn one label. Raises FeaturesInvalid and then has learnt nothing."""
        self.learn_compressed(features, compressed_row(features), is_fraud=is_fraud)

    def learn_compressed(self, features: Sequence[float], compressed: Row, *, is_fraud: bool) -> float:
        """The same of a row that is compressed already; the log-odds told of it until then."""
        row = self.hinges.expand_compressed(compressed)
        self.labels += 1
        self.frauds += is_fraud
        self._sample.add(features, is_fraud=is_fraud)
        self._learn_scale(row)
        scaled = self._scaled(row)
        told = self._told(scaled)
        self._learn_weights(scaled, is_fraud=is_fraud)
        if self.labels % _AVERAGE_EVERY == 0:
            self._average()
        if is_fraud and self._should_bend():
            self._bend()
        return told

    def snapshot(
        self,
        *,
        label_offsets: Mapping[str, Any] | None = None,
        trees: Trees | None = None,
        forest: Mapping[str, Any] | None = None,
    ) -> Snapshot:
        """The whole state as data, with a forest that stands on it; its version names the labels and the content."""
        unnamed = Snapshot(
            model_version="",
            labels=self.labels,
            frauds=self.frauds,
            bend_at=self._bend_at,
            iterations=self.iterations,
            intercept=self.intercept,
            scored_intercept=self.scored_intercept,
            hinges=self.hinges,
            columns=self._columns(),
            probes=(),
            sample=self._sample.to_plain(),
            label_offsets=dict(label_offsets or {}),
            track_record=self.track_record.to_plain(),
            trees=trees,
            forest=forest,
        )
        probed = replace(unnamed, probes=self._probes(RiverModel(unnamed)))
        return replace(probed, model_version=f"{self.labels}-{content_hash(probed)[:12]}")

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> Self:
        """The model as it was: learning goes on bit by bit the same. The snapshot must have been verified."""
        model = cls()
        model.labels, model.frauds, model.hinges = snapshot.labels, snapshot.frauds, snapshot.hinges
        model.iterations = snapshot.iterations
        model.intercept, model.scored_intercept = snapshot.intercept, snapshot.scored_intercept
        model._bend_at = snapshot.bend_at
        model._sample = Sample.from_plain(snapshot.sample)
        if snapshot.track_record is not None:
            model.track_record = TrackRecord.from_plain(snapshot.track_record)
        model._restore(snapshot.columns)
        return model

    def _told(self, scaled: Row) -> float:
        return _sum_of_products(self._scored_weights, scaled) + self.scored_intercept

    def _scaled(self, row: Row) -> Row:
        """Standard deviations from the mean, within BOUND; 0 where nothing has varied yet."""
        deviations: Row = np.sqrt(self._variances)
        deviations[deviations == 0.0] = np.inf
        scaled: Row = row - self._means
        scaled /= deviations
        np.minimum(np.maximum(scaled, -BOUND, out=scaled), BOUND, out=scaled)  # half of what np.clip takes
        return scaled

    def _learn_scale(self, row: Row) -> None:
        """Welford's running mean and variance of each column."""
        self._counts += 1
        off = row - self._means
        self._means += off / self._counts
        off *= row - self._means
        off -= self._variances
        off /= self._counts
        self._variances += off

    def _learn_weights(self, row: Row, *, is_fraud: bool) -> None:
        """A step of AdaGrad (Duchi, Hazan and Singer 2011) on the log loss."""
        told = probability(_sum_of_products(self._weights, row) + self.intercept)
        wrong = told - is_fraud
        self.intercept -= INTERCEPT_RATE * wrong
        gradient = row * wrong
        self._squares += gradient * gradient
        gradient *= LEARNING_RATE / np.sqrt(self._squares + FIRST_SQUARES)
        self._weights -= gradient
        self.iterations += 1

    def _average(self) -> None:
        """Move the scored weights towards the learnt ones; at first over the later half of what was learnt."""
        share = min(_AVERAGE_EVERY * max(1 / AVERAGED_LABELS, 2 / self.labels), 1.0)
        self.scored_intercept += share * (self.intercept - self.scored_intercept)
        self._scored_weights += share * (self._weights - self._scored_weights)

    def _should_bend(self) -> bool:
        """At 100 frauds, 400, 1600, and so on, as soon as there are labels enough for the rare quantiles."""
        return self.labels >= _LABELS_TO_BEND and self.frauds >= self._bend_at

    def _bend(self) -> None:
        """Add the hinges that the sample calls for. Their scale is the sample's, their weight zero."""
        rows = np.array(self._sample.all.rows, dtype=np.float64)
        known = dict(zip(self.hinges.columns, self._columns(), strict=True))
        most = self.frauds // _FRAUDS_FOR_A_KNOT
        fraud_rows = np.array(self._sample.fraud.rows, dtype=np.float64)
        self.hinges = refined(self.hinges, rows, fraud_rows, most=most)
        columns = self.hinges.expand_rows(rows)
        scale = zip(columns.mean(axis=0).tolist(), columns.var(axis=0).tolist(), strict=True)
        fresh = [
            Column(count=len(rows), mean=mean, variance=variance, weight=0.0, scored_weight=0.0, gradient_squares=0.0)
            for mean, variance in scale
        ]
        self._restore([known.get(name, new) for name, new in zip(self.hinges.columns, fresh, strict=True)])
        self._sample.renew()
        self._bend_at = self.frauds * _BEND_AGAIN_AFTER

    def _restore(self, columns: Sequence[Column]) -> None:
        """Take these for the model's state, in the order of the hinges."""
        self._counts = np.array([column.count for column in columns], dtype=np.float64)
        self._means = np.array([column.mean for column in columns])
        self._variances = np.array([column.variance for column in columns])
        self._weights = np.array([column.weight for column in columns])
        self._scored_weights = np.array([column.scored_weight for column in columns])
        self._squares = np.array([column.gradient_squares for column in columns])

    def _columns(self) -> tuple[Column, ...]:
        state = (
            self._counts.tolist(),
            self._means.tolist(),
            self._variances.tolist(),
            self._weights.tolist(),
            self._scored_weights.tolist(),
            self._squares.tolist(),
        )
        return tuple(
            Column(
                count=int(count),
                mean=mean,
                variance=variance,
                weight=weight,
                scored_weight=scored_weight,
                gradient_squares=squares,
            )
            for count, mean, variance, weight, scored_weight, squares in zip(*state, strict=True)
        )

    def _probes(self, river: RiverModel) -> tuple[Probe, ...]:
        rows = [row.tolist() for row in self._sample.all.rows[:_PROBES] + self._sample.fraud.rows[:_PROBES]]
        return tuple(Probe(features=tuple(row), fraud_probability=river.score(row)) for row in rows)


def _sum_of_products(one: Row, other: Row) -> float:
    """Summed in an order that depends on the length alone, so that a restart goes on bit by bit the same."""
    return float(np.add.reduce(one * other))


def compressed_row(features: Sequence[float]) -> Row:
    """As models learn it, (features,). Raises FeaturesInvalid."""
    return compress(np.array(_checked(features), dtype=np.float64))


def _checked(features: Sequence[float]) -> Sequence[float]:
    if len(features) != len(FEATURES):
        raise FeaturesInvalid(f"{len(features)} features, not {len(FEATURES)}")
    if not all(map(math.isfinite, features)):
        broken = [name for name, value in zip(FEATURES, features, strict=True) if not math.isfinite(value)]
        raise FeaturesInvalid(f"not finite: {', '.join(broken)}")
    return features
