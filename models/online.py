"""The online model: River's logistic regression on hinges. The only file that knows River."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from river import linear_model, optim, preprocessing
from river.utils import VectorDict

from models.features import FEATURES
from models.hinges import Hinges, no_hinges, refined
from models.sample import Sample
from models.snapshot import BOUND, Column, Probe, Snapshot, content_hash

LEARNING_RATE = 0.1
FIRST_SQUARES = 1.0  # AdaGrad's epsilon. Were it tiny, the first step of a rarely moved column would be a full one
AVERAGED_LABELS = 10_000
_AVERAGE_EVERY = 32
_FRAUDS_TO_BEND = 100
_LABELS_TO_BEND = 1_000
_BEND_AGAIN_AFTER = 4  # times as many frauds
_PROBES = 8


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
        self._bend_at = _FRAUDS_TO_BEND
        self._sample = Sample()
        self._scaler = preprocessing.StandardScaler()
        self._learning = linear_model.LogisticRegression(optim.AdaGrad(LEARNING_RATE, eps=FIRST_SQUARES))
        self._scoring = linear_model.LogisticRegression()  # holds the averaged weights; never learns
        unlearnt = Column(count=0, mean=0.0, variance=0.0, weight=0.0, scored_weight=0.0, gradient_squares=0.0)
        self._restore(dict.fromkeys(self.hinges.columns, unlearnt))

    def score(self, features: Sequence[float]) -> float:
        """Probability of fraud, in [0, 1]. Learns nothing. Raises FeaturesInvalid."""
        row = self._scaled(self._row(_checked(features)))
        return float(self._scoring.predict_proba_one(row)[True])

    def learn(self, features: Sequence[float], *, is_fraud: bool) -> None:
        """Learn one label. Raises FeaturesInvalid and then has learnt nothing."""
        row = self._row(_checked(features))
        self.labels += 1
        self.frauds += is_fraud
        self._sample.add(features, is_fraud=is_fraud)
        self._scaler.learn_one(row)
        self._learning.learn_one(self._scaled(row), is_fraud)
        if self.labels % _AVERAGE_EVERY == 0:
            self._average()
        if is_fraud and self._should_bend():
            self._bend()

    def snapshot(self, *, label_offsets: Mapping[str, Any] | None = None) -> Snapshot:
        """The whole state as data; its version names the labels learnt and the content."""
        unnamed = Snapshot(
            model_version="",
            labels=self.labels,
            frauds=self.frauds,
            bend_at=self._bend_at,
            iterations=self._learning.optimizer.n_iterations,
            intercept=float(self._learning.intercept),
            scored_intercept=float(self._scoring.intercept),
            hinges=self.hinges,
            columns=tuple(self._columns().values()),
            probes=self._probes(),
            sample=self._sample.to_plain(),
            label_offsets=dict(label_offsets or {}),
        )
        return replace(unnamed, model_version=f"{self.labels}-{content_hash(unnamed)[:12]}")

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> Self:
        """The model as it was: learning goes on bit by bit the same. The snapshot must have been verified."""
        model = cls()
        model.labels, model.frauds, model.hinges = snapshot.labels, snapshot.frauds, snapshot.hinges
        model._sample = Sample.from_plain(snapshot.sample)
        model._bend_at = snapshot.bend_at
        model._learning.intercept = snapshot.intercept
        model._learning.optimizer.n_iterations = snapshot.iterations
        model._scoring.intercept = snapshot.scored_intercept
        model._restore(dict(zip(snapshot.hinges.columns, snapshot.columns, strict=True)))
        return model

    def _row(self, features: Sequence[float]) -> dict[str, float]:
        return dict(zip(self.hinges.columns, self.hinges.expand(features), strict=True))

    def _scaled(self, row: dict[str, float]) -> dict[str, float]:
        scaled = self._scaler.transform_one(row)
        return {name: z if -BOUND <= z <= BOUND else math.copysign(BOUND, z) for name, z in scaled.items()}

    def _average(self) -> None:
        """Move the scored weights towards the learnt ones; at first over the later half of what was learnt."""
        share = min(_AVERAGE_EVERY * max(1 / AVERAGED_LABELS, 2 / self.labels), 1.0)
        self._scoring.intercept += share * (self._learning.intercept - self._scoring.intercept)
        scored = self._scoring.weights
        _set_weights(
            self._scoring,
            {name: scored[name] + share * (weight - scored[name]) for name, weight in self._learning.weights.items()},
        )

    def _should_bend(self) -> bool:
        """At 100 frauds, 400, 1600, and so on, as soon as there are labels enough for the rare quantiles."""
        return self.labels >= _LABELS_TO_BEND and self.frauds >= self._bend_at

    def _bend(self) -> None:
        """Add the hinges that the sample calls for. Their scale is the sample's, their weight zero."""
        rows = np.array(self._sample.all.rows)
        hinges = refined(self.hinges, rows, np.array(self._sample.fraud.rows))
        columns = hinges.expand_rows(rows)
        count, means, variances = len(rows), columns.mean(axis=0).tolist(), columns.var(axis=0).tolist()
        fresh = {
            name: Column(count=count, mean=mean, variance=variance, weight=0.0, scored_weight=0.0, gradient_squares=0.0)
            for name, mean, variance in zip(hinges.columns, means, variances, strict=True)
        }
        known = self._columns()
        self.hinges = hinges
        self._restore(fresh | known)
        self._sample.renew()
        self._bend_at = self.frauds * _BEND_AGAIN_AFTER

    def _restore(self, columns: dict[str, Column]) -> None:
        """Take these columns for the model's state, in the order of the hinges: the order decides how sums round."""
        ordered = {name: columns[name] for name in self.hinges.columns}
        self._scaler = preprocessing.StandardScaler()
        self._scaler.counts.update({name: column.count for name, column in ordered.items()})
        self._scaler.means.update({name: column.mean for name, column in ordered.items()})
        self._scaler.vars.update({name: column.variance for name, column in ordered.items()})
        self._learning.optimizer.g2.clear()
        self._learning.optimizer.g2.update({name: column.gradient_squares for name, column in ordered.items()})
        _set_weights(self._learning, {name: column.weight for name, column in ordered.items()})
        _set_weights(self._scoring, {name: column.scored_weight for name, column in ordered.items()})

    def _columns(self) -> dict[str, Column]:
        learnt, scored = self._learning.weights, self._scoring.weights
        return {
            name: Column(
                count=self._scaler.counts[name],
                mean=float(self._scaler.means[name]),
                variance=float(self._scaler.vars[name]),
                weight=float(learnt[name]),
                scored_weight=float(scored[name]),
                gradient_squares=float(self._learning.optimizer.g2[name]),
            )
            for name in self.hinges.columns
        }

    def _probes(self) -> tuple[Probe, ...]:
        rows = self._sample.all.rows[:_PROBES] + self._sample.fraud.rows[:_PROBES]
        return tuple(Probe(features=tuple(row), fraud_probability=self.score(row)) for row in rows)


def _set_weights(regression: linear_model.LogisticRegression, weights: dict[str, float]) -> None:
    """River reads weights in public but has no public way to set them."""
    regression._weights = VectorDict(weights)  # noqa: SLF001


def _checked(features: Sequence[float]) -> Sequence[float]:
    if len(features) != len(FEATURES):
        raise FeaturesInvalid(f"{len(features)} features, not {len(FEATURES)}")
    if not all(map(math.isfinite, features)):
        broken = [name for name, value in zip(FEATURES, features, strict=True) if not math.isfinite(value)]
        raise FeaturesInvalid(f"not finite: {', '.join(broken)}")
    return features
