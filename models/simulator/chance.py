"""Draws that stand on `Random.random()` alone, the one sequence Python promises to keep from version to version."""

from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import cos, exp, log, sqrt, tau
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


def seeded(seed: int) -> Random:
    """A generator of its own for one purpose."""
    return Random(seed)  # noqa: S311 - a simulation must repeat itself


def normal(rng: Random) -> float:
    """Standard normal, by Box and Muller; `Random.gauss` may change between Python versions."""
    return sqrt(-2.0 * log(1.0 - rng.random())) * cos(tau * rng.random())


def log_normal(rng: Random, median: float, sigma: float) -> float:
    """Log-normal with this median; `sigma` is the spread of its logarithm."""
    return median * exp(sigma * normal(rng))


def exponential(rng: Random, mean: float) -> float:
    """A waiting time with this mean."""
    return -mean * log(1.0 - rng.random())


def whole(rng: Random, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return low + int(rng.random() * (high - low + 1))


def pick(rng: Random, things: Sequence[T]) -> T:
    """One of them, each as likely."""
    return things[int(rng.random() * len(things))]


@dataclass(frozen=True, slots=True)
class Weighted(Generic[T]):
    """Things with weights, ready to be drawn in O(log n). Build it with `of`."""

    things: tuple[T, ...]
    cumulative: tuple[float, ...]

    @classmethod
    def of(cls, pairs: Iterable[tuple[T, float]]) -> "Weighted[T]":
        """From (thing, weight) pairs; weights are positive and need not sum to one."""
        things, weights = zip(*pairs, strict=True)
        return cls(things, tuple(accumulate(weights)))

    def draw(self, rng: Random) -> T:
        """One thing, as likely as its weight says."""
        mark = rng.random() * self.cumulative[-1]
        return self.things[bisect(self.cumulative, mark, 0, len(self.things) - 1)]
