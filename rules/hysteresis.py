"""A switch with two bounds and two times, so that a value that swings about one of them switches once. Pure."""

from dataclasses import dataclass
from math import isnan

from rules.patience import Patience


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchPolicy:
    """On once the value was `enter` or above for `held_seconds`; off after it was at most `leave` for `calm_seconds`.

    Both without a break. Where `longest_calm_seconds` is more, what comes back within it needs a longer calm each time.
    Raises ValueError for bounds that leave no room between them.
    """

    enter: float
    leave: float
    calm_seconds: float
    held_seconds: float = 0.0  # 0: at once
    longest_calm_seconds: float = 0.0  # 0: always calm_seconds

    def __post_init__(self) -> None:
        if not self.leave < self.enter:
            raise ValueError("leave must be below enter, or the switch is on and off by turns")
        if not all(each >= 0 for each in (self.calm_seconds, self.held_seconds, self.longest_calm_seconds)):
            raise ValueError("a switch's times cannot be negative")


class Switch:
    """On or off; off to begin with."""

    def __init__(self, policy: SwitchPolicy) -> None:
        self._policy = policy
        self._patience = Patience(policy.calm_seconds, policy.longest_calm_seconds)
        self._on = False
        self._high_since: float | None = None
        self._calm_since: float | None = None

    def is_on(self, value: float | None, now: float) -> bool:
        """Take in the value at `now` (seconds, monotonic). None: nothing is known, and nothing changes."""
        if value is None or isnan(value):
            return self._on
        policy = self._policy
        self._high_since = _since(self._high_since, now, holds=value >= policy.enter)
        self._calm_since = _since(self._calm_since, now, holds=value <= policy.leave)
        if self._high_since is not None and now - self._high_since >= policy.held_seconds:
            if not self._on:
                self._patience.begins(now)
            self._on = True
        elif self._on and self._calm_since is not None and now - self._calm_since >= self._patience.seconds:
            self._patience.ends(now)
            self._on = False
        return self._on


def _since(before: float | None, now: float, *, holds: bool) -> float | None:
    """Since when it has held without a break; None while it does not."""
    if not holds:
        return None
    return now if before is None else before
