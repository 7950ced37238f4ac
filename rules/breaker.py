"""The circuit breaker: when to stop asking the model, and when to try it again. Pure; clock and chance are passed in.

Named as in Resilience4j: failure rate, slow-call rate, forced open. Differences: a single answer that cannot be
believed opens it, a success never does for failures before it, trials are made in shadow while rules decide, and being
half-open has a time limit.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import inf


class BreakerState(StrEnum):
    """Closed: the model decides. Open: it rests. Half-open: it is tried in shadow while rules decide."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"  # an operator keeps the model out of use
    FORCED_CLOSED = "forced_closed"  # an operator keeps it in use, whatever it does


class BreakerCause(StrEnum):
    """Why the state changed."""

    CONSECUTIVE_FAILURES = "consecutive_failures"
    FAILURE_SHARE = "failure_share"
    SLOW_SHARE = "slow_share"
    POISON = "poison"  # an answer that cannot be believed
    RESTED = "rested"
    RENEWED = "renewed"  # another process is there to be asked: it need not rest for what the one before did
    TRIALS_PASSED = "trials_passed"
    TRIAL_FAILED = "trial_failed"
    TRIAL_TIMEOUT = "trial_timeout"
    FORCED = "forced"
    RELEASED = "released"  # by the operator, or because his time is over


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When to open and how to come back. Raises ValueError for a policy that never opens or never rests."""

    consecutive_failures: int = 3  # in a row: opens
    failure_share: float = 0.5  # of the last `window` calls: opens
    slow_share: float = 0.9  # slow, of the last `window` calls: opens
    window: int = 20
    rest_seconds: float = 0.5  # first rest; doubled at each failed trial
    longest_rest_seconds: float = 10.0
    rest_jitter: float = 0.2  # each rest is longer by up to this share, so that workers do not try all at once
    trial_successes: int = 5  # in a row, in shadow: closes
    trial_timeout_seconds: float = 5.0  # half-open without enough answers for so long: opens again

    def __post_init__(self) -> None:
        if min(self.consecutive_failures, self.window, self.trial_successes) < 1:
            raise ValueError("a breaker's counts and its window are at least 1")
        for name in ("failure_share", "slow_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1")
        if not 0 < self.rest_seconds <= self.longest_rest_seconds or not self.trial_timeout_seconds > 0:
            raise ValueError("a breaker's times must be above 0, and its longest rest at least the first")
        if not 0 <= self.rest_jitter <= 1:
            raise ValueError("a breaker's rest_jitter must be from 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerTransition:
    """A change of state. Seconds are those of the clock that is passed in."""

    before: BreakerState
    after: BreakerState
    cause: BreakerCause
    at: float


@dataclass(frozen=True, slots=True)
class _Call:
    failed: bool
    slow: bool


class Breaker:
    """Counts answers and failures of the model and says whether to ask it.

    Call `state` before each request, then exactly one of `succeeded` or `failed` for each request made. `chance` gives
    numbers from 0 to 1.
    """

    def __init__(self, policy: BreakerPolicy, chance: Callable[[], float] = lambda: 0.0) -> None:
        self._policy = policy
        self._chance = chance
        self._state = BreakerState.CLOSED
        self._cause: BreakerCause | None = None  # of the state
        self._since = 0.0
        self._until = inf  # of a forced state
        self._doubling = policy.rest_seconds
        self._rest = 0.0
        self._poisoned = False  # the last that it did before it opened: what comes of the same model is no better
        self._in_a_row = 0  # failures while closed, successes while half-open
        self._recent: deque[_Call] = deque(maxlen=policy.window)  # while closed
        self._transitions: list[BreakerTransition] = []

    def state(self, now: float) -> BreakerState:
        """The state at `now` (seconds, monotonic). Time alone ends rests, trials and what was forced until a time."""
        if self._state is BreakerState.OPEN and now - self._since >= self._rest:
            self._enter(BreakerState.HALF_OPEN, BreakerCause.RESTED, now)
        elif self._state is BreakerState.HALF_OPEN and now - self._since >= self._policy.trial_timeout_seconds:
            self._reopen(BreakerCause.TRIAL_TIMEOUT, now)
        elif self._is_forced and now >= self._until:
            self.release(now)
        return self._state

    def transitions(self) -> tuple[BreakerTransition, ...]:
        """The changes of state since this was last asked, in order."""
        told, self._transitions = tuple(self._transitions), []
        return told

    def succeeded(self, now: float, *, slow: bool = False) -> None:
        """The model answered in time and sanely; `slow`: not long before it would have been too late."""
        if self._state is BreakerState.HALF_OPEN:
            self._in_a_row += 1
            if self._in_a_row >= self._policy.trial_successes:
                self._doubling = self._policy.rest_seconds
                self._enter(BreakerState.CLOSED, BreakerCause.TRIALS_PASSED, now)
        elif self._state is BreakerState.CLOSED:
            self._in_a_row = 0
            self._recent.append(_Call(failed=False, slow=slow))
            if self._share(call.slow for call in self._recent) >= self._policy.slow_share:
                self._open(BreakerCause.SLOW_SHARE, now)

    def failed(self, now: float, *, poison: bool = False) -> None:
        """The model was late, gone or wrong; `poison`: it answered what no model may."""
        self._poisoned = poison
        if self._state is BreakerState.HALF_OPEN:
            self._reopen(BreakerCause.TRIAL_FAILED, now)
        elif self._state is BreakerState.CLOSED:
            self._in_a_row += 1
            self._recent.append(_Call(failed=True, slow=False))
            if poison:
                self._open(BreakerCause.POISON, now)
            elif self._in_a_row >= self._policy.consecutive_failures:
                self._open(BreakerCause.CONSECUTIVE_FAILURES, now)
            elif self._share(call.failed for call in self._recent) >= self._policy.failure_share:
                self._open(BreakerCause.FAILURE_SHARE, now)

    def renewed(self, now: float) -> None:
        """There is a new process with the same model: try it in shadow at once, unless it was the model that was wrong.

        The rest after the next failed trial is longer all the same, so a model that kills its processes rests too.
        """
        if self._state is BreakerState.OPEN and not self._poisoned:
            self._enter(BreakerState.HALF_OPEN, BreakerCause.RENEWED, now)

    def force(self, state: BreakerState, now: float, until: float = inf) -> None:
        """Keep it forced open or forced closed until a time, or until it is released."""
        if state not in (BreakerState.FORCED_OPEN, BreakerState.FORCED_CLOSED):
            raise ValueError(f"a breaker is not forced to be {state}")
        self._until = until
        if self._state is not state:
            self._enter(state, BreakerCause.FORCED, now)

    def release(self, now: float) -> None:
        """Go on by itself: after it was kept open the model is tried in shadow first."""
        if self._is_forced:
            kept_open = self._state is BreakerState.FORCED_OPEN
            after = BreakerState.HALF_OPEN if kept_open else BreakerState.CLOSED
            self._doubling = self._policy.rest_seconds
            self._enter(after, BreakerCause.RELEASED, now)

    @property
    def is_released(self) -> bool:
        """Whether the model is in shadow only because it was kept out of use, and has failed nowhere."""
        return self._state is BreakerState.HALF_OPEN and self._cause is BreakerCause.RELEASED

    @property
    def _is_forced(self) -> bool:
        return self._state in (BreakerState.FORCED_OPEN, BreakerState.FORCED_CLOSED)

    def _share(self, calls: Iterable[bool]) -> float:
        """Of the last `window` calls; 0 before there are so many."""
        return sum(calls) / self._policy.window if len(self._recent) == self._policy.window else 0.0

    def _reopen(self, cause: BreakerCause, now: float) -> None:
        self._doubling = min(self._doubling * 2, self._policy.longest_rest_seconds)
        self._open(cause, now)

    def _open(self, cause: BreakerCause, now: float) -> None:
        self._rest = self._doubling * (1 + self._policy.rest_jitter * self._chance())
        self._enter(BreakerState.OPEN, cause, now)

    def _enter(self, state: BreakerState, cause: BreakerCause, now: float) -> None:
        self._transitions.append(BreakerTransition(before=self._state, after=state, cause=cause, at=now))
        self._state, self._cause, self._since, self._in_a_row = state, cause, now, 0
        self._recent.clear()
