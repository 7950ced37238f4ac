"""What will be said of simulated transactions: labels wait for their time, and first for how it was decided."""

import heapq
from collections.abc import Iterator
from datetime import datetime

from models.label import Label
from models.simulator.labels import labels_for
from models.simulator.policy import SimulatedTransaction
from rules.decision import Outcome

PATIENCE_SECONDS = 30.0  # for a decision; after that the world goes on as if it had been approved
MOST_AWAITED = 200_000
MOST_LABELS = 1_000_000


class Aftermath:
    """Keeps what was sent until it is decided, then its labels until they are received, both within bounds.

    Pure: `now` is seconds of any clock, labels go by simulated time. Without `react`, nobody waits for decisions and
    all is labelled as approved.
    """

    def __init__(self, *, react: bool) -> None:
        self._react = react
        self._awaited: dict[str, tuple[float, SimulatedTransaction]] = {}  # oldest first
        self._labels: list[tuple[datetime, str, Label]] = []
        self.dropped = 0  # labels for which there was no room

    @property
    def pending(self) -> int:
        """Labels whose time has not come."""
        return len(self._labels)

    def sent(self, simulated: SimulatedTransaction, now: float) -> None:
        """A transaction is on its way."""
        if not self._react:
            self._say(simulated, None)
            return
        self._awaited[simulated.transaction.transaction_id] = now, simulated
        self._lose_patience(now)

    def decided(self, transaction_id: str, outcome: Outcome) -> None:
        """A decision was read; those of others are not ours."""
        if awaited := self._awaited.pop(transaction_id, None):
            self._say(awaited[1], outcome)

    def due(self, simulated_now: datetime) -> Iterator[Label]:
        """The labels received by now, by the time they are."""
        while self._labels and self._labels[0][0] <= simulated_now:
            yield heapq.heappop(self._labels)[2]

    def _lose_patience(self, now: float) -> None:
        while self._awaited:
            oldest, (since, simulated) = next(iter(self._awaited.items()))
            if now - since < PATIENCE_SECONDS and len(self._awaited) <= MOST_AWAITED:
                return
            del self._awaited[oldest]
            self._say(simulated, None)

    def _say(self, simulated: SimulatedTransaction, outcome: Outcome | None) -> None:
        for label in labels_for(simulated, None if outcome is None else outcome.value):
            if len(self._labels) < MOST_LABELS:
                heapq.heappush(self._labels, (label.received_at, label.label_id, label))
            else:
                self.dropped += 1
