"""Up to which moment topics are known: what a reader may conclude from not having seen a record."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar

SKEW_SECONDS = 60.0  # between the clocks of brokers, whose times records carry

Place = TypeVar("Place", bound=Hashable)


class Horizon(Generic[Place]):
    """For each partition a moment: all that could be read then has been read.

    A question is where a partition ended at some moment; it is answered once the reader stands there. Without traffic
    the moment moves on all the same, with a reader that is late or a broker that is away it does not. A reader that
    has far to go tells how far it is by the times of its records.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self._known: dict[Place, float | None] = dict.fromkeys(places)
        self._asked: dict[Place, tuple[float, int]] = {}

    def ask(self, at: float, ends: Mapping[Place, int]) -> None:
        """At the moment `at` or later, partitions ended there. Of those with an open question it is not news."""
        for place, end in ends.items():
            self._asked.setdefault(place, (at, end))

    def reached(self, place: Place, position: int) -> None:
        """Everything below `position` has been read."""
        asked = self._asked.get(place)
        if asked is not None and position >= asked[1]:
            self._known[place] = max(asked[0], self._known[place] or asked[0])
            del self._asked[place]

    def passed(self, place: Place, at: float, now: float) -> None:
        """A record of the time `at` has been read: so have all of a time well before it."""
        known = min(at, now) - SKEW_SECONDS
        self._known[place] = max(known, self._known[place] or known)

    def known(self, places: Iterable[Place] | None = None) -> float | None:
        """The moment up to which all of these (None: of all) are known; None where nothing is yet of one of them."""
        oldest = float("inf")
        for place in self._known if places is None else places:
            known = self._known[place]
            if known is None:
                return None
            oldest = min(oldest, known)
        return oldest
