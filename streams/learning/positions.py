"""How far the learner has read, and from where it must read again to hold the same examples."""

from collections import deque
from dataclasses import dataclass, field

Offsets = dict[str, int]  # by a partition's name, the next offset: the form that snapshots hold

MOST_CHECKPOINTS = 1_000  # a snapshot each ten seconds makes 300,000 while an example is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where the learner stood when `arrived` examples had come."""

    arrived: int
    offsets: Offsets


@dataclass(slots=True)
class Positions:
    """Next offsets of every partition read, and a trail of earlier ones, coarser where it grows long."""

    offsets: Offsets = field(default_factory=dict)
    _trail: deque[Checkpoint] = field(default_factory=deque)

    def mark(self, arrived: int) -> None:
        """Leave a checkpoint."""
        self._trail.append(Checkpoint(arrived=arrived, offsets=dict(self.offsets)))
        if len(self._trail) > MOST_CHECKPOINTS:
            self._trail = deque(list(self._trail)[::2])

    def oldest_needed(self, arrived_before: int) -> Offsets:
        """Offsets before every example still held, when of those held the first came after `arrived_before` others."""
        while len(self._trail) > 1 and self._trail[1].arrived <= arrived_before:
            self._trail.popleft()
        return dict(self._trail[0].offsets) if self._trail else {}
