"""The forest: small trees that correct what is beneath them, grown one by one, the newest for the oldest.

Gradient boosting (Friedman 2001, 2002) on a sample of what surprised: each tree is fitted to what the model beneath and
the other trees leave unexplained. In this way a forest of a fixed size follows the stream for ever.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from models.case_control import CaseControl
from models.growth import grown
from models.hinges import Matrix
from models.logistic import probabilities
from models.trees import Trees, no_trees

TREES = 50
LABELS_A_TREE = 500
_LEAST_FRAUDS = 60  # in the sample, before the first
_ASKED = 20  # features that a tree may ask for

LogOdds = Callable[[Matrix], Matrix]  # of compressed rows (n, features): (n,)


class Forest:
    """Over features of these names; the order of the names is of no account."""

    def __init__(self, names: Sequence[str]) -> None:
        self.trees: Trees = no_trees()
        self._sample = CaseControl(len(names))
        self._waiting: list[tuple[Matrix, float, bool]] = []
        self._grown = 0
        self._by_name = np.argsort(np.array(names))

    def learn(self, compressed: Matrix, *, told: float, is_fraud: bool, beneath: LogOdds) -> None:
        """Learn one label of a row (features,), and grow a tree when it is time.

        `told` are the log-odds that the model beneath gave it, `beneath` is that model.
        """
        self._waiting.append((compressed, told, is_fraud))
        if (self._sample.seen + len(self._waiting)) % LABELS_A_TREE == 0:
            self._take_in()
            if self._sample.frauds >= _LEAST_FRAUDS:
                self._grow(beneath)

    def _take_in(self) -> None:
        """Offer what waits to the sample: at once, which takes trees a few times less than one by one.

        When is of no account, for trees change only while nothing waits.
        """
        if self._waiting:
            rows, told, outcomes = (np.array(each, dtype=np.float64) for each in zip(*self._waiting, strict=True))
            self._sample.offer(rows, told + self.trees.log_odds_of(rows), outcomes)
            self._waiting.clear()

    def _grow(self, beneath: LogOdds) -> None:
        chance = np.random.default_rng(self._grown)
        rows, told, outcomes = self._sample.drawn(chance)
        asked = chance.permutation(self._by_name)[:_ASKED]
        others = self.trees.newest(TREES - 1)
        expected = probabilities(beneath(rows) + others.log_odds_of(rows) - told)
        self.trees = others.followed_by(grown(rows, outcomes - expected, expected * (1.0 - expected), asked))
        self._grown += 1

    def to_plain(self) -> dict[str, Any]:
        """Builtins only: what it grows from. The trees are told apart."""
        self._take_in()
        return {"sample": self._sample.to_plain(), "grown": self._grown}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], trees: Trees, names: Sequence[str]) -> Self:
        """What `to_plain` wrote. Raises KeyError, TypeError or ValueError if it did not."""
        forest = cls(names)
        forest.trees = trees
        forest._sample = CaseControl.from_plain(plain["sample"], of=len(names))
        forest._grown = int(plain["grown"])
        return forest
