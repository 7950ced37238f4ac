"""Conservation, from what topics hold: does every transaction end exactly once?

A record of `transactions` ends as a decision (which names its partition and offset), as a dead letter (whose headers
do), or as a recognised duplicate: the same transaction id and content as a record that was decided. Pure; records may
come in any order. About 60 bytes a record beside its id, and twice that while comparing.
"""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.texts import id_hash

if TYPE_CHECKING:
    import numpy as np

MOST_SAMPLES = 10
_OFFSET_BITS = 48
_NO_ID = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A record of `transactions` that something is wrong with; no id where it has none that can be read."""

    partition: int
    offset: int
    transaction_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerReport:
    """How the records ended; all but `decided_twice` and `contradictory` count records of `transactions`."""

    transactions: int
    decided: int
    dead_letters: int
    duplicates: int
    in_flight: int  # not yet ended, and nobody said that they were read
    unaccounted: int
    unaccounted_samples: tuple[Sample, ...]
    decided_twice: int  # transaction ids with more than one decision
    decided_twice_samples: tuple[str, ...]
    contradictory: int  # records that ended in two ways, or whose decision names another transaction
    contradictory_samples: tuple[Sample, ...]

    @property
    def holds(self) -> bool:
        """Whether every transaction ended exactly once, as far as it was read by a worker."""
        return not (self.unaccounted or self.decided_twice or self.contradictory)


@dataclass(slots=True)
class _Entries:
    """Columns of records: where each lay, and its id, whole and as a number."""

    places: "array[int]" = field(default_factory=lambda: array("Q"))
    hashes: "array[int]" = field(default_factory=lambda: array("Q"))
    contents: "array[int]" = field(default_factory=lambda: array("I"))
    ids: bytearray = field(default_factory=bytearray)
    ends: "array[int]" = field(default_factory=lambda: array("Q"))  # of each id, in ids

    def add(self, partition: int, offset: int, transaction_id: str | None, content: int = 0) -> None:
        self.places.append(partition << _OFFSET_BITS | offset)
        self.hashes.append(_NO_ID if transaction_id is None else id_hash(transaction_id))
        self.contents.append(content)
        self.ids += (transaction_id or "").encode()
        self.ends.append(len(self.ids))

    def id_at(self, row: int) -> str | None:
        begin = self.ends[row - 1] if row else 0
        return self.ids[begin : self.ends[row]].decode() if self.hashes[row] != _NO_ID else None

    def samples(self, wanted: "np.ndarray[Any, Any]") -> tuple[Sample, ...]:
        """The first of the rows that are marked."""
        rows = [int(row) for row in wanted.nonzero()[0][:MOST_SAMPLES]]
        places = [(self.places[row] >> _OFFSET_BITS, self.places[row] & (1 << _OFFSET_BITS) - 1) for row in rows]
        return tuple(
            Sample(partition=partition, offset=offset, transaction_id=self.id_at(row))
            for row, (partition, offset) in zip(rows, places, strict=True)
        )


class Ledger:
    """Takes down records of `transactions`, of the decision topics and of the dead letters, and compares.

    Records of `transactions` below `counted_from` (an offset for each partition) are not accounted for; they are
    there so that a repeat of one is recognised.
    """

    def __init__(self, counted_from: Mapping[int, int] | None = None) -> None:
        self._counted_from = counted_from or {}
        self._transactions = _Entries()
        self._decisions = _Entries()
        self._dead_letters = array("Q")

    def transaction(self, partition: int, offset: int, transaction_id: str | None, content: int) -> None:
        """A record of `transactions`, each once; `content` is its 32-bit fingerprint, and no id if it is malformed."""
        self._transactions.add(partition, offset, transaction_id, content)

    def decision(self, partition: int, offset: int, transaction_id: str) -> None:
        """A decision, and where its transaction lay."""
        self._decisions.add(partition, offset, transaction_id)

    def dead_letter(self, partition: int, offset: int) -> None:
        """A dead letter, by where the record lay."""
        self._dead_letters.append(partition << _OFFSET_BITS | offset)

    def report(self, committed: Mapping[int, int] | None = None) -> LedgerReport:
        """Compare. What did not end and lies at or above `committed`, a partition's next offset, is in flight."""
        import numpy as np  # 0.1 s to import

        places = _column(self._transactions.places)
        decided = np.isin(places, _column(self._decisions.places))
        dead = np.isin(places, _column(self._dead_letters))
        counted = ~_below(places, self._counted_from)
        open_ones = counted & ~decided & ~dead
        duplicate = self._duplicates(open_ones, decided)
        read = np.ones_like(counted) if committed is None else _below(places, committed)
        lost = open_ones & ~duplicate & read
        contradictory = counted & self._contradictory(places, decided & dead)
        twice = self._decided_twice()
        return LedgerReport(
            transactions=int(counted.sum()),
            decided=int((counted & decided).sum()),
            dead_letters=int((counted & dead).sum()),
            duplicates=int(duplicate.sum()),
            in_flight=int((open_ones & ~duplicate & ~read).sum()),
            unaccounted=int(lost.sum()),
            unaccounted_samples=self._transactions.samples(lost),
            decided_twice=len(twice),
            decided_twice_samples=tuple(self._named(twice)),
            contradictory=int(contradictory.sum()),
            contradictory_samples=self._transactions.samples(contradictory),
        )

    def _duplicates(self, open_ones: "np.ndarray[Any, Any]", decided: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """Which of the open ones repeat a decided record, id and content."""
        import numpy as np

        hashes, contents = _column(self._transactions.hashes), _column(self._transactions.contents)
        originals = decided & (hashes != _NO_ID) & np.isin(hashes, hashes[open_ones])
        known = set(zip(hashes[originals].tolist(), contents[originals].tolist(), strict=True))
        repeats = np.zeros_like(open_ones)
        for row in open_ones.nonzero()[0]:
            repeats[row] = (int(hashes[row]), int(contents[row])) in known
        return repeats

    def _contradictory(self, places: "np.ndarray[Any, Any]", both: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """Decided and a dead letter too, a dead letter twice, or decided under another id than its own."""
        import numpy as np

        letters, count = np.unique(_column(self._dead_letters), return_counts=True)
        wrong: np.ndarray[Any, Any] = both | np.isin(places, letters[count > 1])
        order = places.argsort()
        decided_places = _column(self._decisions.places)
        found = np.searchsorted(places, decided_places, sorter=order)
        inside = found < len(places)
        rows, named = order[found[inside]], _column(self._decisions.hashes)[inside]
        same_place = places[rows] == decided_places[inside]
        wrong[rows[same_place & (_column(self._transactions.hashes)[rows] != named)]] = True
        return wrong

    def _decided_twice(self) -> "np.ndarray[Any, Any]":
        import numpy as np

        hashes, count = np.unique(_column(self._decisions.hashes), return_counts=True)
        return hashes[count > 1]

    def _named(self, hashes: "np.ndarray[Any, Any]") -> Iterator[str]:
        for hashed in hashes[:MOST_SAMPLES].tolist():
            yield self._decisions.id_at(self._decisions.hashes.index(hashed)) or ""


def _column(values: "array[int]") -> "np.ndarray[Any, Any]":
    """The same memory as numpy sees it."""
    import numpy as np

    kind = np.uint64 if values.typecode == "Q" else np.uint32
    return np.frombuffer(values, dtype=kind) if values else np.empty(0, dtype=kind)


def _below(places: "np.ndarray[Any, Any]", offsets: Mapping[int, int]) -> "np.ndarray[Any, Any]":
    """Which places lie below their partition's offset; none does where no offset is given."""
    import numpy as np

    partitions, offset = places >> np.uint64(_OFFSET_BITS), places & np.uint64((1 << _OFFSET_BITS) - 1)
    below = np.zeros(len(places), dtype=bool)
    for partition, bound in offsets.items():
        below |= (partitions == partition) & (offset < bound)
    return below
