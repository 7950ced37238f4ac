"""Which payments were decided lately: 64 bits each, bounded in count and age, to tell a repeat from a loss."""

from collections import deque
from typing import Any, NamedTuple

import numpy as np

Column = np.ndarray[Any, Any]

_LEAST_SLABS, _LARGEST_SLAB = 64, 65_536  # so a look-up in 10 million takes 2 ms, and the newest are a small set


class _Slab(NamedTuple):
    """Keys in their order, and the moment of the newest."""

    keys: Column
    newest: float


class Remembered:
    """A set of keys that holds the newest `most`, each for at most `seconds`; 8 bytes a key.

    Keys come about in the order of their time. The oldest go a slab at a time: at least 63 of 64 of `most` are held
    once so many came.
    """

    def __init__(self, *, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._slab_size = max(1, min(most // _LEAST_SLABS, _LARGEST_SLAB))
        self._slabs: deque[_Slab] = deque()
        self._fresh: set[int] = set()
        self._newest = 0.0
        self._frozen = 0

    def __len__(self) -> int:
        return self._frozen + len(self._fresh)

    def add(self, key: int, at: float) -> None:
        """Remember one, decided at the moment `at`."""
        if len(self._fresh) >= self._slab_size:
            self._freeze()
        while len(self) >= self._most:
            self._forget_oldest()
        self._fresh.add(key)
        self._newest = max(self._newest, at)

    def forget(self, now: float) -> None:
        """Let go of what is too old at the moment `now`, or was not added lately enough to know."""
        if self._fresh and self._newest < now - self._seconds:
            self._freeze()
        while self._slabs and self._slabs[0].newest < now - self._seconds:
            self._forget_oldest()

    def holds(self, keys: Column) -> Column:
        """For each key whether it is remembered."""
        order = np.argsort(keys)  # neighbours are looked up in the same memory
        ordered = keys[order]
        hits = np.fromiter((key in self._fresh for key in ordered.tolist()), bool, len(keys))
        for slab in self._slabs:
            hits |= _in_sorted(ordered, slab.keys)
        found: Column = np.empty_like(hits)
        found[order] = hits
        return found

    def _freeze(self) -> None:
        self._slabs.append(_Slab(np.sort(np.fromiter(self._fresh, np.uint64, len(self._fresh))), self._newest))
        self._frozen += len(self._fresh)
        self._fresh = set()

    def _forget_oldest(self) -> None:
        if not self._slabs:
            self._freeze()
        self._frozen -= len(self._slabs.popleft().keys)


def _in_sorted(keys: Column, ordered: Column) -> Column:
    places = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    found: Column = ordered[places] == keys
    return found
