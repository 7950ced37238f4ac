"""Consumer lag with hysteresis: when a lane is behind, and when it has caught up. Pure; the clock is passed in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LagPolicy:
    """Records behind the end of the partition. Between the two bounds the lane stays as it is."""

    enter: int
    leave: int
    dwell_seconds: float  # behind at least for so long once behind


class LagGate:
    """Whether one lane is behind."""

    def __init__(self, policy: LagPolicy) -> None:
        self._policy = policy
        self._behind_since: float | None = None

    def is_behind(self, lag: int, now: float) -> bool:
        """Take in the lag at `now` (seconds, monotonic) and say whether the lane is behind."""
        if self._behind_since is None:
            if lag >= self._policy.enter:
                self._behind_since = now
        elif lag <= self._policy.leave and now - self._behind_since >= self._policy.dwell_seconds:
            self._behind_since = None
        return self._behind_since is not None
