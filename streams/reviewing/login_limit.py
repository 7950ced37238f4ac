"""How often somebody may try to log in: pure, time in seconds is an argument."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

WINDOW_SECONDS = 900.0
MOST_OF_NAME = 5  # failures
MOST_OF_ADDRESS = 20
MOST_KEPT = 10_000  # names and addresses: the longest silent are forgotten first


@dataclass(slots=True)
class LoginLimit:
    """Failures of the last quarter of an hour, by name and by address."""

    _failures: OrderedDict[tuple[str, str], deque[float]] = field(default_factory=OrderedDict)

    def may_try(self, name: str, address: str, now: float) -> bool:
        """Whether neither has failed too often."""
        return (
            self._recent(("name", name), now) < MOST_OF_NAME
            and self._recent(("address", address), now) < MOST_OF_ADDRESS
        )

    def failed(self, name: str, address: str, now: float) -> None:
        """Somebody had a wrong name or password."""
        for key in (("name", name), ("address", address)):
            self._failures.setdefault(key, deque(maxlen=MOST_OF_ADDRESS)).append(now)
            self._failures.move_to_end(key)
        while len(self._failures) > MOST_KEPT:
            self._failures.popitem(last=False)

    def _recent(self, key: tuple[str, str], now: float) -> int:
        failures = self._failures.get(key, deque())
        return sum(now - each < WINDOW_SECONDS for each in failures)
