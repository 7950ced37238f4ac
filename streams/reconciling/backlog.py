"""Which decisions are ripe to be scored again, and from where each partition is still to be read. Pure.

A decision made without the model is ripe once the model is back, or at once if the model was not in doubt. The model is
back when something that the broker took later proves it: a decision that carries a score, or the end of an incident of
the model. The topics are the queue: behind the first decision that is not ripe a partition is only looked through for
proof, and then read again from that decision on. So memory does not grow with an outage.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Partition = TypeVar("Partition", bound=Hashable)
Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting(Generic[Entry]):
    """A record of a decision topic: where it lay, the broker's time of it in ms, and what it is."""

    offset: int
    at_ms: int
    proves: bool = False  # that the model answers
    due: bool = False  # it is to be scored again
    doubted: bool = False  # but only once the model is back
    entry: Entry


@dataclass(slots=True)
class Backlog(Generic[Partition]):
    """Below `next` of a partition everything is done. Partitions may be read side by side, each in its order."""

    next: dict[Partition, int]
    proven_ms: int = -1  # the broker's time of the latest proof that the model answers
    _waiting: dict[Partition, int] = field(default_factory=dict)  # broker's time of the decision at `next`

    @property
    def waits_since_ms(self) -> int | None:
        """The broker's time of the earliest decision that waits for the model; None where none does."""
        return min(self._waiting.values(), default=None)

    def proven(self, at_ms: int) -> None:
        """The model answered; to be told before `take`, of all that was read with it."""
        self.proven_ms = max(self.proven_ms, at_ms)

    def take(self, partition: Partition, sightings: Iterable[Sighting[Entry]]) -> Iterator[Entry]:
        """Those that are ripe, in their order, up to the first that is not. To be exhausted."""
        if partition in self._waiting:
            return
        for each in sightings:
            if each.due and each.doubted and each.at_ms > self.proven_ms:
                self._waiting[partition] = each.at_ms
                return
            if each.due:
                yield each.entry
            self.next[partition] = each.offset + 1

    def done(self, partition: Partition, position: int) -> int:
        """Up to where a partition is done with, if it was read and taken up to `position`."""
        return self.next[partition] if partition in self._waiting else position

    def ripened(self) -> list[Partition]:
        """Partitions that are to be read again from `next` on, because the model is back; each is told once."""
        ripe = [partition for partition, at_ms in self._waiting.items() if at_ms <= self.proven_ms]
        for partition in ripe:
            del self._waiting[partition]
        return ripe
