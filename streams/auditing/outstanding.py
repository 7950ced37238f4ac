"""Transactions of one partition that were read and have not ended: columns in the order of their offsets."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

Column = np.ndarray[Any, Any]

NO_ID = 0

_LEAST_ROWS = 256  # worth compacting


class Standing(IntEnum):
    """Where a transaction stands."""

    WAITING = 0  # for its ending, not yet for longer than the grace time
    OVERDUE = 1  # for longer, and no payment like it was decided
    REPEAT = 2  # for longer, and the same payment was decided at another place
    ENDED = 3


class Rows(NamedTuple):
    """The columns as numpy sees them: the same memory, valid within its block. Only `standing` may be written."""

    offsets: Column
    times: Column  # ms since the epoch
    ids: Column  # 64 bits that stand for the id, NO_ID where none can be read
    contents: Column  # 32 bits that stand for the content
    standing: Column


class Outstanding:
    """29 bytes a row. Rows that ended stay until they are at least half of all."""

    def __init__(self) -> None:
        self._offsets = array("q")
        self._times = array("q")
        self._ids = array("Q")
        self._contents = array("I")
        self._standing = bytearray()
        self._ended = 0

    def __len__(self) -> int:
        """How many have not ended."""
        return len(self._standing) - self._ended

    @property
    def rows(self) -> int:
        """How many are held, ended ones among them."""
        return len(self._standing)

    def add(self, offset: int, at_ms: int, id_hash: int, content: int) -> None:
        """A transaction above all offsets before; `at_ms` is the broker's time of it, ms since the epoch."""
        self._offsets.append(offset)
        self._times.append(at_ms)
        self._ids.append(id_hash)
        self._contents.append(content)
        self._standing.append(Standing.WAITING)

    def end(self, offset: int) -> tuple[int, int, int] | None:
        """End the transaction there: its id, content and time; None if none is there that has not ended."""
        row = bisect_left(self._offsets, offset)
        if row == len(self._offsets) or self._offsets[row] != offset or self._standing[row] == Standing.ENDED:
            return None
        ended = self._ids[row], self._contents[row], self._times[row]
        self._standing[row] = Standing.ENDED
        self._ended += 1
        if 2 * self._ended >= len(self._standing) >= _LEAST_ROWS:
            self.compact()
        return ended

    @contextmanager
    def columns(self) -> Iterator[Rows]:
        """See all rows, ended ones too; nothing may be added within the block."""
        yield Rows(
            np.frombuffer(self._offsets, np.int64),
            np.frombuffer(self._times, np.int64),
            np.frombuffer(self._ids, np.uint64),
            np.frombuffer(self._contents, np.uint32),
            np.frombuffer(self._standing, np.uint8),
        )

    def compact(self) -> None:
        """Count what ended, and let go of it where that is at least half."""
        with self.columns() as rows:
            kept = rows.standing != Standing.ENDED
            self._ended = len(kept) - int(kept.sum())
            if not self._ended or 2 * self._ended < len(kept):
                return
            offsets, times, ids, contents, standing = (column[kept].tobytes() for column in rows)
        self._offsets, self._times = array("q", offsets), array("q", times)
        self._ids, self._contents = array("Q", ids), array("I", contents)
        self._standing = bytearray(standing)
        self._ended = 0
