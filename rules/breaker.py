"""The circuit breaker: when to stop asking the model, and when to try it again. Pure; the clock is passed in."""

from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """Closed: the model decides. Open: it rests. Half-open: it is tried in shadow while rules decide."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When to open and how to come back. Raises ValueError for a policy that never opens or never rests."""

    consecutive_failures: int = 3  # in a row: opens
    failure_share: float = 0.5  # of the last `window` calls: opens
    window: int = 20
    rest_seconds: float = 0.5  # first rest; doubled at each failed trial
    longest_rest_seconds: float = 10.0
    trial_successes: int = 5  # in a row, in shadow: closes
    trial_timeout_seconds: float = 5.0  # half-open without enough answers for so long: opens again

    def __post_init__(self) -> None:
        if min(self.consecutive_failures, self.window, self.trial_successes) < 1:
            raise ValueError("a breaker's counts and its window are at least 1")
        if not 0 < self.failure_share <= 1:
            raise ValueError("failure_share must be above 0 and at most 1")
        if not 0 < self.rest_seconds <= self.longest_rest_seconds or not self.trial_timeout_seconds > 0:
            raise ValueError("a breaker's times must be above 0, and its longest rest at least the first")


class Breaker:
    """Counts answers and failures of the model and says whether to ask it.

    Call `state` before each request, then exactly one of `succeeded` or `failed` for each request made.
    """

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._state = BreakerState.CLOSED
        self._since = 0.0
        self._rest = policy.rest_seconds
        self._in_a_row = 0  # failures while closed, successes while half-open
        self._recent: list[bool] = []  # True for a failure; the last `window` calls while closed

    def state(self, now: float) -> BreakerState:
        """The state at `now` (seconds, monotonic). Time alone moves open to half-open, and half-open back to open."""
        if self._state is BreakerState.OPEN and now - self._since >= self._rest:
            self._enter(BreakerState.HALF_OPEN, now)
        elif self._state is BreakerState.HALF_OPEN and now - self._since >= self._policy.trial_timeout_seconds:
            self._reopen(now)
        return self._state

    def succeeded(self, now: float) -> None:
        """The model answered in time and sanely."""
        if self._state is BreakerState.HALF_OPEN:
            self._in_a_row += 1
            if self._in_a_row >= self._policy.trial_successes:
                self._rest = self._policy.rest_seconds
                self._enter(BreakerState.CLOSED, now)
        elif self._state is BreakerState.CLOSED:
            self._in_a_row = 0
            self._remember(failure=False)

    def failed(self, now: float) -> None:
        """The model was late, gone or wrong."""
        if self._state is BreakerState.HALF_OPEN:
            self._reopen(now)
        elif self._state is BreakerState.CLOSED:
            self._in_a_row += 1
            self._remember(failure=True)
            if self._in_a_row >= self._policy.consecutive_failures or self._too_many():
                self._enter(BreakerState.OPEN, now)

    def _remember(self, *, failure: bool) -> None:
        self._recent.append(failure)
        if len(self._recent) > self._policy.window:
            del self._recent[0]

    def _too_many(self) -> bool:
        full = len(self._recent) == self._policy.window
        return full and sum(self._recent) >= self._policy.failure_share * self._policy.window

    def _reopen(self, now: float) -> None:
        self._rest = min(self._rest * 2, self._policy.longest_rest_seconds)
        self._enter(BreakerState.OPEN, now)

    def _enter(self, state: BreakerState, now: float) -> None:
        self._state, self._since, self._in_a_row = state, now, 0
        self._recent.clear()
