"""A Kafka for the outbox that keeps its transactions, fences, and breaks where it is told to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from streams.reviewing.publications import Telling
from streams.reviewing.store import Delivery


class Broken(Exception):
    """The connection is gone, and whoever sent does not know what became of it."""


class Break(Enum):
    """Where it breaks."""

    BEFORE_COMMIT = auto()
    AFTER_COMMIT = auto()


@dataclass(slots=True)
class TopicsInMemory:
    """What has been committed, in its order, and the last note."""

    records: list[Telling] = field(default_factory=list)
    note: Delivery | None = None
    epoch: int = 0


class CarriageInMemory:
    """One producer."""

    def __init__(self, topics: TopicsInMemory) -> None:
        self._topics = topics
        self._epoch = 0
        self.breaks: Break | None = None

    async def start(self) -> Delivery | None:
        self._topics.epoch += 1
        self._epoch = self._topics.epoch
        return self._topics.note

    async def carry(self, told: Sequence[Telling], note: Delivery) -> None:
        if self._epoch != self._topics.epoch or self.breaks is Break.BEFORE_COMMIT:
            raise Broken
        self._topics.records += told
        self._topics.note = note
        if self.breaks is Break.AFTER_COMMIT:
            raise Broken
