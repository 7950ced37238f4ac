"""A bounded sample of labelled transactions: what hinges are placed from, and what a snapshot is probed with."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.hinges import MOST
from models.packed import SINGLE, packed, unpacked

ALL_ROWS = 1_000
FRAUD_ROWS = 250

Rows = NDArray[np.float32]


class Reservoir:
    """Every row seen has the same chance to be among the `capacity` kept (Vitter 1985, algorithm R).

    Chance is drawn from the number of rows seen, so that the same rows leave the same sample, restart or not.
    Rows are kept as `told_apart` makes them.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.seen = 0
        self.rows: list[Rows] = []

    def add(self, row: Sequence[float]) -> None:
        """Take one row in, or let it pass."""
        self.seen += 1
        if len(self.rows) < self.capacity:
            self.rows.append(told_apart(row))
            return
        position = scrambled(self.seen) % self.seen
        if position < self.capacity:
            self.rows[position] = told_apart(row)

    def renew(self) -> None:
        """From now on give new rows the chance they had at the start; rows at hand stay until they are replaced."""
        self.seen = len(self.rows)


class Sample:
    """Rows of all labelled transactions, and of the frauds among them."""

    def __init__(self) -> None:
        self.all = Reservoir(ALL_ROWS)
        self.fraud = Reservoir(FRAUD_ROWS)

    def add(self, row: Sequence[float], *, is_fraud: bool) -> None:
        """Take one labelled transaction in."""
        self.all.add(row)
        if is_fraud:
            self.fraud.add(row)

    def renew(self) -> None:
        """Turn towards new rows, see `Reservoir.renew`."""
        self.all.renew()
        self.fraud.renew()

    def to_plain(self) -> dict[str, Any]:
        """Builtins only."""
        return {
            name: {"seen": each.seen, "rows": packed(np.array(each.rows, dtype=np.float32), SINGLE)}
            for name, each in (("all", self.all), ("fraud", self.fraud))
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The sample `to_plain` wrote; KeyError, TypeError or ValueError if it did not."""
        sample = cls()
        for reservoir, part in ((sample.all, plain["all"]), (sample.fraud, plain["fraud"])):
            reservoir.rows = list(unpacked(part["rows"], SINGLE))[: reservoir.capacity]
            reservoir.seen = max(int(part["seen"]), len(reservoir.rows))
        return sample


def told_apart(row: ArrayLike) -> Rows:
    """As finely as a sample needs: in single precision, within MOST, beyond which hinges tell nothing apart."""
    return np.clip(np.asarray(row, dtype=np.float64), -MOST, MOST).astype(np.float32)


def scrambled(number: int) -> int:
    """64 well-mixed bits of a number (Steele et al. 2014, splitmix64)."""
    mask = 2**64 - 1
    mixed = (number * 0x9E3779B97F4A7C15) & mask
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
    return mixed ^ (mixed >> 31)
