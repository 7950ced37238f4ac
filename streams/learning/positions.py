"""How far the learner has read, and from where it must read again to hold the same examples."""

from collections import deque
from dataclasses import dataclass, field

from aiokafka import TopicPartition

Offsets = dict[str, int]  # "topic:partition" to the next offset, the form that snapshots hold


def place(partition: TopicPartition) -> str:
    """A partition's name in snapshots."""
    return f"{partition.topic}:{partition.partition}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where the learner stood when it had seen `arrived` examples."""

    arrived: int
    offsets: Offsets


@dataclass(slots=True)
class Positions:
    """Next offsets of every partition read, and a trail of earlier ones."""

    offsets: Offsets = field(default_factory=dict)
    _trail: deque[Checkpoint] = field(default_factory=deque)

    def mark(self, arrived: int) -> None:
        """Leave a checkpoint."""
        self._trail.append(Checkpoint(arrived=arrived, offsets=dict(self.offsets)))

    def oldest_needed(self, dropped: int) -> Offsets:
        """Offsets before every example still held, when the first `dropped` that arrived are not.

        One checkpoint further back than the examples ask for: a label may be read just before its decision.
        """
        while len(self._trail) > 2 and self._trail[2].arrived <= dropped:
            self._trail.popleft()
        return dict(self._trail[0].offsets) if self._trail else {}
