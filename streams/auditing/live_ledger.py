"""Conservation while it happens: which transactions have lain too long without an ending.

The ledger of `accounting` holds everything and compares once. This one holds only what has not ended, and keys of what
was decided lately, so it can run for as long as the topics do. Pure: time comes with the records and with `settle`.
"""

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from models.texts import id_hash
from streams.auditing.outstanding import NO_ID, Column, Outstanding, Rows, Standing
from streams.auditing.remembered import Remembered

MOST_SAMPLES = 10
LEAST_SHARE = 1000  # transactions that a partition may always hold
EARLY_SHARE = 20  # of so many outstanding transactions, one ending may be held before its transaction was read

_MIX, _MIX_PARTITION = (
    0x9E3779B97F4A7C15,
    0xC2B2AE3D27D4EB4F,
)  # odd 64-bit constants; what they spread is hashed already
_ALL_BITS = (1 << 64) - 1


class Ending(StrEnum):
    """How a transaction ended."""

    DECISION = "decision"
    DEAD_LETTER = "dead_letter"
    DUPLICATE = "duplicate"


class Contradiction(StrEnum):
    """What must not be on the topics."""

    ENDED_AGAIN = "ended_again"  # a decision or dead letter of a place whose transaction had ended, or that has none
    OTHER_ID = "other_id"  # a decision that names another transaction than the one at its place
    UNREADABLE = "unreadable"  # a record of the decision or dead-letter topics that names no place


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """When a transaction is late, and how much is held; all but the seconds are counts of transactions."""

    grace_seconds: float
    most_outstanding: int
    most_remembered: int
    remember_seconds: float


@dataclass(slots=True)
class _Partition:
    begins: int  # the first offset that was to be read
    counted_from: int
    next: int  # the offset after the last transaction read
    outstanding: Outstanding = field(default_factory=Outstanding)
    early: dict[int, list[int | None]] = field(default_factory=dict)  # ids named, None by a dead letter
    overdue: int | None = None  # None until it was settled once
    put_aside: dict[int, tuple[int, float]] = field(
        default_factory=dict
    )  # key and time of what ended lately as a letter
    newly_decided: "array[int]" = field(default_factory=lambda: array("Q"))  # keys, while some are overdue
    highest_ended: int = -1
    passed: int = -1  # below it the workers have been everywhere, and all that they wrote was read
    passing: tuple[int, float] | None = None  # what `passed` will be once that moment is known


class LiveLedger:
    """Takes down records as they come: of one topic and partition in their order, between topics in any.

    A transaction ends by a decision or dead letter that names its place, or as a repeat: the same id and content as a
    payment that was decided in its partition and is still remembered. Transactions below `counted_from` are there so
    that their repeats are recognised, and are not counted themselves. Both maps have every partition.
    """

    def __init__(self, bounds: Bounds, begins: Mapping[int, int], counted_from: Mapping[int, int]) -> None:
        self._bounds = bounds
        self._share = max(LEAST_SHARE, bounds.most_outstanding // max(1, len(begins)))
        self._partitions = {
            number: _Partition(begins=offset, counted_from=max(offset, counted_from[number]), next=offset)
            for number, offset in begins.items()
        }
        self._remembered = Remembered(most=bounds.most_remembered, seconds=bounds.remember_seconds)
        self.endings = Counter(dict.fromkeys(Ending, 0))
        self.contradictions = Counter(dict.fromkeys(Contradiction, 0))

    @property
    def unaccounted(self) -> int | None:
        """Transactions without an ending after the grace time; None until every partition was settled once."""
        overdue = [part.overdue for part in self._partitions.values()]
        return None if None in overdue else sum(each or 0 for each in overdue)

    @property
    def outstanding(self) -> int:
        """Transactions that were read and have not ended, those within the grace time too."""
        return sum(len(part.outstanding) for part in self._partitions.values())

    @property
    def remembered(self) -> int:
        """Decided payments that a repeat would be recognised of."""
        return len(self._remembered)

    def has_room(self, partition: int) -> bool:
        """Whether more transactions of the partition should be read now: it holds no more than its share."""
        return self._partitions[partition].outstanding.rows < self._share

    def has_room_for_endings(self, partition: int) -> bool:
        """Whether more endings of the partition should be read now, or its transactions first."""
        return len(self._partitions[partition].early) < self._share // EARLY_SHARE

    def transaction(self, partition: int, offset: int, at: float, transaction_id: str | None, content: int) -> None:
        """A record of `transactions`, with the broker's time of it in seconds; no id if it is malformed."""
        part = self._partitions[partition]
        hashed = NO_ID if transaction_id is None else id_hash(transaction_id)
        part.outstanding.add(offset, round(at * 1000), hashed, content)
        part.next = offset + 1
        for named in part.early.pop(offset, ()):
            self._end(partition, part, offset, named)

    def decision(self, partition: int, offset: int, transaction_id: str) -> None:
        """A decision, by where its transaction lay."""
        self._ending(partition, offset, id_hash(transaction_id))

    def dead_letter(self, partition: int, offset: int) -> None:
        """A dead letter, by where the record lay."""
        self._ending(partition, offset, None)

    def unreadable(self) -> None:
        """A record that should be an ending, and is none that can be read."""
        self.contradictions[Contradiction.UNREADABLE] += 1

    def skipped(self, partition: int, offset: int) -> None:
        """Transactions below `offset` that were not read yet will never be: nothing is concluded of them."""
        part = self._partitions[partition]
        if offset > part.next:
            part.begins = part.next = offset
            part.early = {place: ids for place, ids in part.early.items() if place >= offset}

    def settle(self, partition: int, known: float, now: float) -> None:
        """Conclude: all endings of the partition that could be read at the moment `known` have been taken down."""
        part = self._partitions[partition]
        self._settle_passed(part, known, now)
        for offset in [each for each in part.early if each < part.next]:
            self._strays(part, offset, len(part.early.pop(offset)))
        with part.outstanding.columns() as rows:
            self._settle_rows(partition, part, rows, known)
            part.overdue = int((rows.standing == Standing.OVERDUE).sum())
        part.outstanding.compact()
        part.newly_decided = array("Q")
        known_late = known - self._bounds.grace_seconds
        part.put_aside = {offset: kept for offset, kept in part.put_aside.items() if kept[1] > known_late}
        self._remembered.forget(known)

    def samples(self) -> list[tuple[int, int]]:
        """Partition and offset of some unaccounted transactions, the first of each partition."""
        found: list[tuple[int, int]] = []
        for number, part in self._partitions.items():
            with part.outstanding.columns() as rows:
                late = rows.offsets[rows.standing == Standing.OVERDUE][:MOST_SAMPLES]
            found += [(number, offset) for offset in late.tolist()]
        return found[:MOST_SAMPLES]

    def _ending(self, partition: int, offset: int, named: int | None) -> None:
        part = self._partitions.get(partition)
        if part is None:
            return
        if offset >= part.next:
            part.early.setdefault(offset, []).append(named)
        else:
            self._end(partition, part, offset, named)

    def _end(self, partition: int, part: _Partition, offset: int, named: int | None) -> None:
        ended = part.outstanding.end(offset)
        if ended is None:
            self._strays(part, offset, 1)
            if named is not None and offset in part.put_aside:  # a contradiction, but its repeats are repeats
                self._remember(part, *part.put_aside.pop(offset))
            return
        hashed, content, at_ms = ended
        part.highest_ended = max(part.highest_ended, offset)
        if offset >= part.counted_from:
            self.endings[Ending.DEAD_LETTER if named is None else Ending.DECISION] += 1
            self.contradictions[Contradiction.OTHER_ID] += named is not None and named != hashed
        if hashed == NO_ID:
            return
        key = (hashed ^ content * _MIX ^ partition * _MIX_PARTITION) & _ALL_BITS
        if named is None:
            part.put_aside[offset] = key, at_ms / 1000
        else:
            self._remember(part, key, at_ms / 1000)

    def _remember(self, part: _Partition, key: int, at: float) -> None:
        self._remembered.add(key, at)
        if part.overdue:
            part.newly_decided.append(key)

    def _strays(self, part: _Partition, offset: int, count: int) -> None:
        if offset >= max(part.begins, part.counted_from):
            self.contradictions[Contradiction.ENDED_AGAIN] += count

    def _settle_passed(self, part: _Partition, known: float, now: float) -> None:
        """Move on to what had ended a grace time ago: a commit shows on one topic after the other."""
        if part.passing is not None and known >= part.passing[1]:
            part.passed, part.passing = part.passing[0], None
        if part.passing is None and part.highest_ended > part.passed:
            part.passing = part.highest_ended, now + self._bounds.grace_seconds

    def _settle_rows(self, partition: int, part: _Partition, rows: Rows, known: float) -> None:
        standing = rows.standing
        late = (standing == Standing.WAITING) & (rows.times <= (known - self._bounds.grace_seconds) * 1000)
        standing[late & (rows.offsets < part.counted_from)] = Standing.ENDED
        late &= rows.offsets >= part.counted_from
        waited = (standing == Standing.OVERDUE).nonzero()[0]
        self._recognise(partition, rows, late.nonzero()[0])
        if len(waited) and part.newly_decided:
            keys = np.unique(np.array(part.newly_decided, dtype=np.uint64))
            repeats = np.isin(_keys(rows, waited, partition), keys)
            standing[waited[repeats]] = Standing.REPEAT
        # Beyond the window of its card a repeat is decided like any other: it is one once its lane has passed it.
        done = standing == Standing.REPEAT
        if len(standing) < self._share:
            done &= rows.offsets < part.passed
        self.endings[Ending.DUPLICATE] += int(done.sum())
        standing[done] = Standing.ENDED

    def _recognise(self, partition: int, rows: Rows, late: Column) -> None:
        """Which of the transactions that are late now repeat one that was decided."""
        if len(late):
            repeats = self._remembered.holds(_keys(rows, late, partition))
            rows.standing[late] = np.where(repeats, Standing.REPEAT, Standing.OVERDUE)


def _keys(rows: Rows, wanted: Column, partition: int) -> Column:
    """64 bits for id, content and partition: a repeat elsewhere is a payment like any other to its lane."""
    spread = rows.contents[wanted].astype(np.uint64) * np.uint64(_MIX)
    keys: Column = rows.ids[wanted] ^ spread ^ np.uint64(partition * _MIX_PARTITION & _ALL_BITS)
    return keys
