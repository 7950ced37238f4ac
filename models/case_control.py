"""A bounded sample of what surprised: the labelled transactions from which there is something left to learn.

Local case-control sampling (Fithian and Hastie 2014): a row is taken with the chance |outcome - probability told|.
Frauds are rare, and most of the rest is known to be harmless: so few rows say nearly as much as all. Among those taken
the log-odds of fraud are the true ones less those told; whoever fits with that offset fits what is true of all rows.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.hinges import Matrix
from models.logistic import probabilities
from models.packed import FLAG, HALF, packed, unpacked
from models.sample import scrambled

CAPACITY = 3_000


class CaseControl:
    """The newest CAPACITY rows taken: compressed features (CAPACITY, features) with half precision, told and outcome.

    Chance is drawn from the number of rows seen, so that the same rows leave the same sample, restart or not.
    """

    def __init__(self, features: int) -> None:
        self.seen = 0
        self.taken = 0
        self._rows = np.zeros((CAPACITY, features), dtype=np.float16)
        self._told = np.zeros(CAPACITY)
        self._outcomes = np.zeros(CAPACITY)

    def offer(self, compressed: Matrix, told: Matrix, outcomes: Matrix) -> None:
        """Take rows (n, features) whose log-odds were `told`, each with its chance, or let them pass."""
        surprises = np.abs(outcomes - probabilities(told)).tolist()
        for row, surprise in enumerate(surprises):
            self.seen += 1
            if scrambled(self.seen) < surprise * 2.0**64:
                at = self.taken % CAPACITY
                self._rows[at], self._told[at], self._outcomes[at] = compressed[row], told[row], outcomes[row]
                self.taken += 1

    @property
    def frauds(self) -> int:
        """Among the rows held."""
        return int(self._outcomes.sum())

    def drawn(self, chance: np.random.Generator) -> tuple[Matrix, Matrix, Matrix]:
        """Half of what is held, in any order."""
        rows, told, outcomes = self.held()
        which = chance.permutation(len(rows))[: (len(rows) + 1) // 2]
        return rows[which].astype(np.float64), told[which], outcomes[which]

    def held(self) -> tuple[NDArray[np.float16], Matrix, Matrix]:
        """Compressed features (n, features), log-odds told, outcomes 0 or 1."""
        held = min(self.taken, CAPACITY)
        return self._rows[:held], self._told[:held], self._outcomes[:held]

    def to_plain(self) -> dict[str, Any]:
        """Builtins only."""
        rows, told, outcomes = self.held()
        return {
            "seen": self.seen,
            "taken": self.taken,
            "rows": packed(rows, HALF, deflated=True),
            "told": packed(told),
            "outcomes": packed(outcomes, FLAG),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], *, of: int) -> Self:
        """What `to_plain` wrote, for so many features. Raises KeyError, TypeError or ValueError if it did not."""
        sample = cls(of)
        sample.seen, sample.taken = int(plain["seen"]), int(plain["taken"])
        held = min(sample.taken, CAPACITY)
        sample._rows[:held] = unpacked(plain["rows"], HALF).reshape(held, of)
        sample._told[:held] = unpacked(plain["told"]).reshape(held)
        sample._outcomes[:held] = unpacked(plain["outcomes"], FLAG).reshape(held)
        if not np.isfinite(sample._rows).all() or not np.isfinite(sample._told).all():
            raise ValueError("a row of the sample is not finite")
        return sample
