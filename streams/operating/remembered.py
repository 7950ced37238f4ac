"""Which payments were decided lately: 64 bits each, bounded in count and age, to tell a repeat from a loss."""

from array import array
from collections import deque
from typing import Any, NamedTuple

import numpy as np

Column = np.ndarray[Any, Any]

_SLABS = 64  # sorted stretches that a look-up goes through


class _Slab(NamedTuple):
    """Keys in their order, and the moment of the newest."""

    keys: Column
    newest: float


class Remembered:
    """A set of keys that holds the newest `most`, each for at most `seconds`; 8 bytes a key.

    Keys come about in the order of their time. The oldest go a slab at a time, a 64th of `most`: at least 63 of 64 of
    `most` are held once so many came.
    """

    def __init__(self, *, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._slab_size = max(1, most // _SLABS)
        self._slabs: deque[_Slab] = deque()
        self._fresh = array("Q")
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
        self._fresh.append(key)
        self._newest = max(self._newest, at)

    def forget(self, now: float) -> None:
        """Let go of what is too old at the moment `now`, or was not added lately enough to know."""
        if self._fresh and self._newest < now - self._seconds:
            self._freeze()
        while self._slabs and self._slabs[0].newest < now - self._seconds:
            self._forget_oldest()

    def holds(self, keys: Column) -> Column:
        """For each key whether it is remembered."""
        found: Column = np.isin(keys, np.array(self._fresh, dtype=np.uint64))
        for slab in self._slabs:
            found |= _in_sorted(keys, slab.keys)
        return found

    def _freeze(self) -> None:
        self._slabs.append(_Slab(np.sort(np.array(self._fresh, dtype=np.uint64)), self._newest))
        self._frozen += len(self._fresh)
        self._fresh = array("Q")

    def _forget_oldest(self) -> None:
        if not self._slabs:
            self._freeze()
        self._frozen -= len(self._slabs.popleft().keys)


def _in_sorted(keys: Column, ordered: Column) -> Column:
    places = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    found: Column = ordered[places] == keys
    return found
