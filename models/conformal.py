"""Conformal p-values: how like what is known of each class a score is.

Mondrian, that is class by class (Vovk, Gammerman and Shafer 2005, "Algorithmic learning in a random world", 4.5): a
score is the stranger among frauds the lower it is, among legitimate payments the higher. The p-value of a class is the
weight of its members that are at least as strange, the payment itself among them. If payments of a class come in random
order, it is at most e with a probability of at most e. Newer ones weigh more (Barber et al. 2023, "Conformal prediction
beyond exchangeability"), so that it goes with what changes.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.packed import packed, unpacked

BINS = 512  # of equal width in log-odds, from -16 to 16; what lies beyond is in the first or the last
FRAUDS_REMEMBERED = 1_000  # each fraud makes what came before it weigh less by this share
LEAST_FRAUDS, LEAST_LEGITIMATE = 50, 1_000  # weight of either class below which nothing can be said
_FORGOTTEN = 1e-9

Floats = NDArray[np.float64]

EDGES: Floats = 1.0 / (1.0 + np.exp(-np.linspace(-16.0, 16.0, BINS - 1)))  # probabilities between one bin and the next
_EDGES = EDGES.tolist()


def bin_of(probability: float) -> int:
    """The bin of a fraud probability."""
    return bisect_right(_EDGES, probability)


def bins_of(probabilities: Floats) -> NDArray[np.intp]:
    """The bins of many; NaN is in the last."""
    return np.searchsorted(EDGES, probabilities, side="right")


class Outcomes:
    """Weights of scores whose outcome is known, by class and bin."""

    def __init__(self) -> None:
        self.fraud: Floats = np.zeros(BINS)
        self.legitimate: Floats = np.zeros(BINS)

    @property
    def suffice(self) -> bool:
        """Whether enough is known of either class."""
        return bool(self.fraud.sum() >= LEAST_FRAUDS and self.legitimate.sum() >= LEAST_LEGITIMATE)

    def add(self, place: int, *, is_fraud: bool) -> None:
        """Take in the bin of a score and what its payment turned out to be."""
        (self.fraud if is_fraud else self.legitimate)[place] += 1.0

    def age(self) -> None:
        """Have all that came before weigh less: another fraud came, here or elsewhere."""
        for weights in (self.fraud, self.legitimate):
            weights *= 1.0 - 1.0 / FRAUDS_REMEMBERED
            weights[weights < _FORGOTTEN] = 0.0  # else they come to be numbers that processors are slow at

    @classmethod
    def merged(cls, parts: Iterable["Outcomes"]) -> Self:
        """All of them as if they had been one, provided that they aged together."""
        whole = cls()
        for part in parts:
            whole.fraud += part.fraud
            whole.legitimate += part.legitimate
        return whole

    def p_values(self) -> Floats:
        """(BINS, 2): of each bin the p-values as a legitimate payment and as a fraud. Within a bin all are alike."""
        legitimate = np.cumsum(self.legitimate[::-1])[::-1]
        fraud = np.cumsum(self.fraud)
        return np.stack(((legitimate + 1.0) / (legitimate[0] + 1.0), (fraud + 1.0) / (fraud[-1] + 1.0)), axis=1)

    def to_plain(self) -> dict[str, Any]:
        """Builtins only."""
        return {"fraud": packed(self.fraud), "legitimate": packed(self.legitimate)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What `to_plain` wrote. Raises KeyError, TypeError or ValueError if it did not."""
        outcomes = cls()
        outcomes.fraud, outcomes.legitimate = _weights(plain["fraud"]), _weights(plain["legitimate"])
        return outcomes


def _weights(plain: Mapping[str, Any]) -> Floats:
    weights: Floats = unpacked(plain)
    if weights.shape != (BINS,) or not ((weights >= 0) & (weights < np.inf)).all():
        raise ValueError("no weights of bins")
    return weights
