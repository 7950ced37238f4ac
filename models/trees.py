"""Trees as arrays: a sum of small regression trees on compressed features, in log-odds. Plain data, it cannot learn."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.hinges import Matrix
from models.packed import INDEX, packed, unpacked

DEPTH = 4
INNER = 2**DEPTH - 1
LEAVES = INNER + 1
NODES = INNER + LEAVES
NEVER = 100.0  # a threshold above every compressed value: all go left, and so the node does not split
MOST_VALUE = 1e3  # no tree says so much

Indices = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trees:
    """Complete binary trees, their nodes by level: those below node i are 2i + 1 and, above the threshold, 2i + 2.

    `features` and `thresholds` are those of inner nodes, (trees, INNER). `values` are log-odds of all nodes,
    (trees, NODES): a leaf's is what the tree says, an inner node's the mean of the rows it was grown from.
    """

    features: Indices
    thresholds: Matrix
    values: Matrix

    def __len__(self) -> int:
        return len(self.features)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trees) and self.to_plain() == other.to_plain()

    __hash__ = None  # type: ignore[assignment]  # arrays can change

    def log_odds_of(self, compressed: Matrix) -> Matrix:
        """What they add for rows (n, features): (n,), bit by bit the same whatever rows stand beside a row."""
        if not len(self):
            return np.zeros(len(compressed))
        said = self.values[:, INNER:].ravel().take(self._leaves(compressed))
        told: Matrix = np.cumsum(said, axis=0)[-1]  # tree by tree, which numpy's sum of a single row would not do
        return told

    def contributions(self, compressed: Matrix) -> Matrix:
        """What each feature of (n, features) adds to `base`: rows sum to the log-odds.

        A step down a tree belongs to the feature that was asked about, and adds what the value changes (Saabas 2014,
        "Interpreting random forests").
        """
        leaves = self._leaves(compressed)
        at = self._asked.take(leaves, axis=0)
        at += compressed.shape[1] * np.arange(len(compressed))[:, None]
        added = np.zeros(compressed.size)
        added += np.bincount(at.ravel(), self._steps.take(leaves, axis=0).ravel(), compressed.size)
        return added.reshape(compressed.shape)

    @cached_property
    def base(self) -> float:
        """What they say of a typical row."""
        return float(self.values[:, 0].sum())

    @cached_property
    def moves(self) -> dict[int, float]:
        """How far each feature moves what is said: the differences below its splits, summed, by its index."""
        left = self.values[:, 1::2]
        moved = np.abs(self.values[:, 2::2] - left) * (self.thresholds < NEVER)
        summed = np.bincount(self.features.ravel(), moved.ravel())
        return {index: float(each) for index, each in enumerate(summed.tolist()) if each}

    def newest(self, keep: int) -> Self:
        """So many of them."""
        first = max(len(self) - keep, 0)
        return type(self)(
            features=self.features[first:], thresholds=self.thresholds[first:], values=self.values[first:]
        )

    def followed_by(self, tree: "Trees") -> Self:
        """These and another."""
        return type(self)(
            features=np.concatenate((self.features, tree.features)),
            thresholds=np.concatenate((self.thresholds, tree.thresholds)),
            values=np.concatenate((self.values, tree.values)),
        )

    def to_plain(self) -> dict[str, Any]:
        """Builtins only."""
        return {
            "features": packed(self.features, INDEX),
            "thresholds": packed(self.thresholds),
            "values": packed(self.values),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], *, of: int) -> Self:
        """What `to_plain` wrote, for so many features. Raises KeyError, TypeError or ValueError if it did not."""
        trees = cls(
            features=unpacked(plain["features"], INDEX).astype(np.intp),
            thresholds=unpacked(plain["thresholds"]),
            values=unpacked(plain["values"]),
        )
        trees.verify(of=of)
        return trees

    def verify(self, *, of: int) -> None:
        """Raise ValueError unless they are whole, sane, and ask for so many features at most."""
        if not self.features.shape == self.thresholds.shape == (len(self), INNER) or self.values.shape != (
            len(self),
            NODES,
        ):
            raise ValueError("trees in part")
        if not ((self.features >= 0) & (self.features < of)).all():
            raise ValueError("trees ask for a feature that there is not")
        if not (np.abs(self.thresholds) <= NEVER).all() or not (np.abs(self.values) <= MOST_VALUE).all():
            raise ValueError("a number in trees is not finite or beyond anything that is learnt")

    def _leaves(self, compressed: Matrix) -> Indices:
        """Where each tree takes each row, counted over the leaves of all trees: (trees, n).

        All questions are asked at once: for arrays that is less work than to walk from node to node.
        """
        features, thresholds = self._questions
        above = compressed.T.take(features, axis=0) > thresholds
        above = above.reshape(INNER, len(self), len(compressed)).view(np.uint8)
        passed: list[NDArray[np.uint8]] = []
        leaves = np.zeros(above.shape[1:], dtype=np.uint8)
        for level in range(DEPTH):
            answers = above[2**level - 1 : 2 ** (level + 1) - 1]
            for before in passed:
                half = len(answers) // 2
                left, right = answers[:half], answers[half:]
                answers = left ^ ((left ^ right) & before)
            passed.append(answers[0])
            leaves += leaves + answers[0]
        found: Indices = leaves + self._first_leaf
        return found

    @cached_property
    def _questions(self) -> tuple[Indices, Matrix]:
        """Features and thresholds of the inner nodes, the same node of all trees together: (nodes,), (nodes, 1)."""
        return self.features.T.ravel(), self.thresholds.T.reshape(-1, 1)

    @cached_property
    def _first_leaf(self) -> Indices:
        return np.arange(0, LEAVES * len(self), LEAVES)[:, None]

    @cached_property
    def _asked(self) -> Indices:
        """The features asked about on the way to each leaf: (leaves of all trees, DEPTH)."""
        return self.features[:, _PATHS[:, :-1]].reshape(-1, DEPTH)

    @cached_property
    def _steps(self) -> Matrix:
        """What the value changes on the way to each leaf: (leaves of all trees, DEPTH)."""
        steps: Matrix = np.diff(self.values[:, _PATHS], axis=2).reshape(-1, DEPTH)
        return steps


def _path(leaf: int) -> list[int]:
    """The nodes from the root to a leaf, itself included."""
    path = [INNER + leaf]
    while path[0]:
        path.insert(0, (path[0] - 1) // 2)
    return path


_PATHS = np.array([_path(leaf) for leaf in range(LEAVES)], dtype=np.intp)


def count_of(plain: Mapping[str, Any]) -> int:
    """How many there are in what `to_plain` wrote."""
    return int(plain["values"]["shape"][0])


def no_trees() -> Trees:
    """For a forest that has not yet seen enough to grow."""
    return Trees(
        features=np.zeros((0, INNER), dtype=np.intp), thresholds=np.zeros((0, INNER)), values=np.zeros((0, NODES))
    )
