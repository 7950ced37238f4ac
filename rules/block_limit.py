"""The block limit: when too large a share of payments would be blocked, a person looks at the rest. Pure.

A model that went wrong, or a rule set, would else turn every customer away. Hard rules are not for it to judge.
"""

from collections import deque
from dataclasses import dataclass

from msgspec.structs import replace

from rules.decision import Outcome, ReasonCode
from rules.hysteresis import Switch, SwitchPolicy
from rules.judgement import Conclusion

_STRETCHES = 20  # that the window moves on by


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLimitPolicy:
    """How many of the latest payments may be blocked. Raises ValueError for what is no share or no time."""

    max_share: float = 0.25  # of the payments in the window; from there on blocks become reviews, down to half of it
    window_seconds: float = 60.0
    least_payments: int = 200  # in the window; a share of fewer says nothing

    def __post_init__(self) -> None:
        if not 0 < self.max_share <= 1:
            raise ValueError("max_share must be above 0 and at most 1")
        if not (self.window_seconds > 0 and self.least_payments > 0):
            raise ValueError("the window needs time and payments")


@dataclass(slots=True)
class _Stretch:
    begins: float
    payments: int = 0
    blocks: int = 0


class BlockLimit:
    """Of one worker. Counts what was concluded, not what became of it: so it holds for as long as the wave does."""

    def __init__(self, policy: BlockLimitPolicy) -> None:
        self._policy = policy
        self._stretches: deque[_Stretch] = deque()
        self._payments = self._blocks = 0
        self._moves_at = float("-inf")  # the window
        self.reached = False  # as of the last payment: the next block would be a review
        self._switch = Switch(
            SwitchPolicy(enter=policy.max_share, leave=policy.max_share / 2, calm_seconds=policy.window_seconds / 4)
        )

    def admit(self, concluded: Conclusion, now: float) -> Conclusion:
        """The conclusion on the next payment at `now` (seconds, monotonic), or a review in place of a block."""
        if now >= self._moves_at:
            self._move_on(now)
        blocked, newest = concluded.outcome is Outcome.BLOCK, self._stretches[-1]
        newest.payments += 1
        newest.blocks += blocked
        self._payments += 1
        self._blocks += blocked
        if self._payments >= self._policy.least_payments:
            share = self._blocks / self._payments
            if self.reached or share >= self._policy.max_share:  # else it is off, and stays so
                self.reached = self._switch.is_on(share, now)
        if not (self.reached and blocked):
            return concluded
        return replace(
            concluded,
            outcome=Outcome.REVIEW,
            reasons=(*concluded.reasons, ReasonCode.BLOCK_LIMIT),
            confidence=None,
            credibility=None,
            expected_cost_minor=None,
        )

    def _move_on(self, now: float) -> None:
        stretches, window = self._stretches, self._policy.window_seconds
        while stretches and stretches[0].begins <= now - window:
            old = stretches.popleft()
            self._payments -= old.payments
            self._blocks -= old.blocks
        if not stretches or stretches[-1].begins <= now - window / _STRETCHES:
            stretches.append(_Stretch(now))
        self._moves_at = min(stretches[0].begins + window, stretches[-1].begins + window / _STRETCHES)
