"""A bounded sample of labelled transactions: what hinges are placed from, and what a snapshot is probed with."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

ALL_ROWS = 1_000
FRAUD_ROWS = 250


class Reservoir:
    """Every row seen has the same chance to be among the `capacity` kept (Vitter 1985, algorithm R).

    Chance is drawn from the number of rows seen, so that the same rows leave the same sample, restart or not.
    Rows are kept to six significant digits.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.seen = 0
        self.rows: list[list[float]] = []

    def add(self, row: Sequence[float]) -> None:
        """Take one row in, or let it pass."""
        self.seen += 1
        if len(self.rows) < self.capacity:
            self.rows.append([float(f"{value:.6g}") for value in row])
            return
        position = _scrambled(self.seen) % self.seen
        if position < self.capacity:
            self.rows[position] = [float(f"{value:.6g}") for value in row]

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
            "all": {"seen": self.all.seen, "rows": [list(row) for row in self.all.rows]},
            "fraud": {"seen": self.fraud.seen, "rows": [list(row) for row in self.fraud.rows]},
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The sample `to_plain` wrote; KeyError or TypeError if it did not."""
        sample = cls()
        for reservoir, part in ((sample.all, plain["all"]), (sample.fraud, plain["fraud"])):
            reservoir.rows = [[float(value) for value in row] for row in part["rows"]][: reservoir.capacity]
            reservoir.seen = max(int(part["seen"]), len(reservoir.rows))
        return sample


def _scrambled(number: int) -> int:
    """64 well-mixed bits of a number (Steele et al. 2014, splitmix64)."""
    mask = 2**64 - 1
    mixed = (number * 0x9E3779B97F4A7C15) & mask
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
    return mixed ^ (mixed >> 31)
