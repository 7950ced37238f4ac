"""Consumer lag: whether a lane is behind or soon will be, and when it has caught up. Pure; the clock is passed in."""

from dataclasses import dataclass
from math import exp

from rules.hysteresis import Switch, SwitchPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class LagPolicy:
    """Records behind the end of the partition. Raises ValueError for bounds that leave no room between them."""

    enter: int
    leave: int
    calm_seconds: float  # at most `leave` behind for so long: caught up
    ahead_seconds: float = 0.0  # what the lag will be by its trend counts already

    def __post_init__(self) -> None:
        if not (0 <= self.ahead_seconds < float("inf")):
            raise ValueError("ahead_seconds must be from 0")
        self.switch()

    def switch(self) -> SwitchPolicy:
        """The bounds as a switch has them."""
        return SwitchPolicy(enter=self.enter, leave=self.leave, calm_seconds=self.calm_seconds)


class LagGate:
    """Whether one lane is behind.

    The trend is how fast the lag grew of late, smoothed over `ahead_seconds`: a jump counts for itself once more at
    most, and a lag that grows steadily is seen `ahead_seconds` before it is there. It hastens the entry only.
    """

    def __init__(self, policy: LagPolicy) -> None:
        self._policy = policy
        self._switch = Switch(policy.switch())
        self._last: tuple[int, float] | None = None
        self._growth = 0.0  # records a second

    def is_behind(self, lag: int, now: float) -> bool:
        """Take in the lag at `now` (seconds, monotonic) and say whether the lane is behind."""
        self._learn_trend(lag, now)
        if lag <= self._policy.leave:
            return self._switch.is_on(lag, now)
        return self._switch.is_on(lag + max(0.0, self._growth) * self._policy.ahead_seconds, now)

    def _learn_trend(self, lag: int, now: float) -> None:
        before, self._last = self._last, (lag, now)
        if before is None or self._policy.ahead_seconds == 0 or (passed := now - before[1]) <= 0:
            return
        weight = 1.0 - exp(-passed / self._policy.ahead_seconds)
        self._growth += weight * ((lag - before[0]) / passed - self._growth)
