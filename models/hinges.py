"""Hinges: what lets a linear model bend. A feature x becomes x and max(x - knot, 0) for a few knots.

Features are compressed first, sign(x) log(1 + |x|): money and counts act by their proportions. Knots come from
quantiles of the labelled transactions themselves, so nothing here knows what a payment looks like. Beyond MOST all is
the same, lest a single absurd number stretch a column's scale for good. Knots are added, never moved or removed: a new
hinge starts with weight zero, and so the model says the same before and after.

Only a feature whose frauds are spread otherwise than all transactions is bent, those that tell most first, and no more
than frauds can speak of: hinges on what tells nothing, or that few frauds speak of, would learn nothing but noise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FRAUD_QUANTILES = (0.25, 0.5, 0.75)
ALL_QUANTILES = (0.9, 0.99)
MOST_KNOTS = 8
MOST = 1e10  # the largest amount that a payment can have, in major units
BY_CHANCE = 1.63  # of Kolmogorov and Smirnov, at 1 %: of some sixty features hardly one is bent by chance
CLOSEST = 0.02  # of the feature's range: nearer knots would say the same twice

Matrix = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Hinges:
    """Knots of each feature, ascending, in compressed units. Columns are the features, then all hinges in order."""

    names: tuple[str, ...]
    knots: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.knots):
            raise ValueError(f"{len(self.names)} features but knots for {len(self.knots)}")

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """A name for each column; a hinge is named after its feature and its knot."""
        return self.names + tuple(
            f"{name}>{knot!r}" for name, knots in zip(self.names, self.knots, strict=True) for knot in knots
        )

    @cached_property
    def owners(self) -> NDArray[np.intp]:
        """Index of the original feature of each column, (columns,)."""
        hinges = [index for index, knots in enumerate(self.knots) for _ in knots]
        return np.array([*range(len(self.names)), *hinges], dtype=np.intp)

    def expand(self, features: Sequence[float]) -> list[float]:
        """The columns of one row."""
        compressed = [math.copysign(math.log1p(min(abs(value), MOST)), value) for value in features]
        columns = list(compressed)
        for value, knots in zip(compressed, self.knots, strict=True):
            columns += [value - knot if value > knot else 0.0 for knot in knots]
        return columns

    def expand_rows(self, rows: Matrix) -> Matrix:
        """The same for (n, features): (n, columns)."""
        return self.expand_compressed(compress(rows))

    def expand_compressed(self, compressed: Matrix) -> Matrix:
        """The same for rows, or one row, (features,), that are compressed already."""
        hinges = compressed.take(self._bent, axis=-1)
        hinges -= self._flat_knots
        np.maximum(hinges, 0.0, out=hinges)
        return np.concatenate((compressed, hinges), axis=-1)

    @cached_property
    def _bent(self) -> NDArray[np.intp]:
        return self.owners[len(self.names) :]

    @cached_property
    def _flat_knots(self) -> Matrix:
        return np.array([knot for knots in self.knots for knot in knots], dtype=np.float64)


def no_hinges(names: Sequence[str]) -> Hinges:
    """Plain features, for a model that has not yet seen enough to bend."""
    return Hinges(names=tuple(names), knots=((),) * len(names))


def refined(hinges: Hinges, rows: Matrix, fraud_rows: Matrix, *, most: int = 10**9) -> Hinges:
    """The hinges with knots added where these transactions (n, features) have quantiles and no knot is near.

    `most` knots in all, those of features that tell most first; features that do not tell fraud keep what they have.
    """
    everything, fraud = compress(rows).T, compress(fraud_rows).T
    bound = BY_CHANCE * math.sqrt(1 / len(rows) + 1 / len(fraud_rows))
    told = [_apart(*both) for both in zip(everything, fraud, strict=True)]
    knots = list(hinges.knots)
    for index in sorted(range(len(told)), key=lambda each: -told[each]):
        if told[index] > bound:
            added = _with_added(knots[index], everything[index], fraud[index])
            if sum(map(len, knots)) + len(added) - len(knots[index]) <= most:
                knots[index] = added
    return Hinges(names=hinges.names, knots=tuple(knots))


def compress(rows: Matrix) -> Matrix:
    """sign(x) log(1 + |x|), elementwise, of at most MOST."""
    return np.copysign(np.log1p(np.minimum(np.abs(rows), MOST)), rows)


def _apart(values: Matrix, fraud_values: Matrix) -> float:
    """How far apart the distributions of two samples are, 0 to 1 (Smirnov 1948)."""
    at = np.concatenate((values, fraud_values))
    below, fraud_below = (
        np.searchsorted(np.sort(each), at, side="right") / len(each) for each in (values, fraud_values)
    )
    return float(np.abs(below - fraud_below).max())


def _with_added(knots: tuple[float, ...], values: Matrix, fraud_values: Matrix) -> tuple[float, ...]:
    lowest, highest = float(values.min()), float(values.max())
    if np.isin(values, (lowest, highest)).all():  # a flag: no hinge bends two points, yet a quantile may lie between
        return knots
    nearest = CLOSEST * (highest - lowest)
    kept = list(knots)
    for knot in (*np.quantile(fraud_values, FRAUD_QUANTILES).tolist(), *np.quantile(values, ALL_QUANTILES).tolist()):
        inside = lowest < knot < highest  # a hinge outside is constant, or the feature once more
        if inside and len(kept) < MOST_KNOTS and all(abs(knot - other) > nearest for other in kept):
            kept.append(knot)
    return tuple(sorted(kept))
