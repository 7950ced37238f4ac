"""What happens next: many timelines merged into one, in memory that depends on their number alone."""

from collections.abc import Iterator
from heapq import heappop, heappush

from models.simulator.payment import Payment

Step = tuple[float, Payment | None]  # seconds after the start; None: nothing is paid, the timeline only wanted to wait
Timeline = Iterator[Step]  # in time order; runs on only when its last step has come


class Agenda:
    """Merges timelines by time; equal times in the order in which they were planned."""

    def __init__(self) -> None:
        self._planned: list[tuple[float, int, Payment | None, Timeline]] = []
        self._count = 0

    def add(self, timeline: Timeline) -> None:
        """Take one more; it must not begin before the present step."""
        step = next(timeline, None)
        if step is not None:
            self._count += 1
            heappush(self._planned, (step[0], self._count, step[1], timeline))

    def steps(self) -> Iterator[Step]:
        """All steps in time order, for as long as there are any; timelines may be added meanwhile."""
        while self._planned:
            at, _, payment, timeline = heappop(self._planned)
            yield at, payment
            self.add(timeline)
