"""A switch with two bounds and a time, so that a value that swings about one of them switches once. Pure."""

from dataclasses import dataclass
from math import isnan


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchPolicy:
    """On from `enter` up; off after the value was at most `leave` for `calm_seconds` without a break.

    Raises ValueError for bounds that leave no room between them.
    """

    enter: float
    leave: float
    calm_seconds: float

    def __post_init__(self) -> None:
        if not self.leave < self.enter:
            raise ValueError("leave must be below enter, or the switch is on and off by turns")
        if not self.calm_seconds >= 0:
            raise ValueError("calm_seconds cannot be negative")


class Switch:
    """On or off; off to begin with."""

    def __init__(self, policy: SwitchPolicy) -> None:
        self._policy = policy
        self._on = False
        self._calm_since: float | None = None

    def is_on(self, value: float | None, now: float) -> bool:
        """Take in the value at `now` (seconds, monotonic). None: nothing is known, and nothing changes."""
        if value is None or isnan(value):
            return self._on
        if value > self._policy.leave:
            self._calm_since = None
            self._on = self._on or value >= self._policy.enter
        elif self._on:
            if self._calm_since is None:
                self._calm_since = now
            if now - self._calm_since >= self._policy.calm_seconds:
                self._on = False
        return self._on
