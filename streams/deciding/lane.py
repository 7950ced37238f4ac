"""A lane: one input partition, read in order, and where it stands."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import structlog
from aiokafka import ConsumerRecord

from streams.deciding.batch import Decided, Outgoing
from streams.deciding.intake import Inlet
from streams.deciding.lane_state import LaneState, Taken
from streams.deciding.resumption import note

log = structlog.get_logger()

EVICT_EVERY_SECONDS = 10.0
EVICT_LOOK_AT = 500  # profiles looked at each time: 40 us apiece with their tombstones


@dataclass(slots=True, kw_only=True)
class Lane:
    """What is taken of a partition, and up to where everything is committed."""

    inlet: Inlet
    state: LaneState
    next: int | None  # the input offset below which everything is committed; None: nothing is yet
    profile_idle_days: int
    _taken: int | None = None  # the offset of the last record taken
    _evicted_at: float = field(default_factory=time.monotonic)
    _evict_from: int = 0

    def take(self, most: int) -> Taken:
        """Its next records, up to `most`, in their order."""
        records: Sequence[ConsumerRecord] = self.inlet.take(most)
        self._taken = records[-1].offset
        self.state.lag = self.inlet.behind(records[0].offset - 1)
        return Taken(self.state, records)

    def rest(self) -> None:
        """Nothing is taken: it may have caught up meanwhile."""
        if self._taken is not None:
            self.state.lag = self.inlet.behind(self._taken)

    def complete(self, decided: Decided, records: Sequence[ConsumerRecord]) -> int:
        """Add to a batch whom the lane forgets, and the input offset that comes next; this offset."""
        begin = int(records[-1].offset) + 1
        decided.profiles += self._forgotten()
        decided.profiles.append(note(begin))
        return begin

    def _forgotten(self) -> Iterator[Outgoing]:
        """Tombstones of a few idle cards."""
        now = time.monotonic()
        if now - self._evicted_at < EVICT_EVERY_SECONDS:
            return
        self._evicted_at = now
        store = self.state.profiles
        horizon = store.newest - self.profile_idle_days * 86_400
        idle = list(store.idle_since(horizon, most=EVICT_LOOK_AT, after=self._evict_from))
        self._evict_from = self._evict_from + EVICT_LOOK_AT if self._evict_from < len(store) else 0
        for card in idle:
            store.forget(card)
            yield Outgoing(card, None)
        if idle:
            log.info("profiles_forgotten", partition=self.state.partition, cards=len(idle))
