"""The mode of a worker: how far its model is trusted now, and why. Pure; what is seen and the clock are passed in.

Single payments fall back by themselves, each with its reason. The mode says what holds for the worker as a whole, with
hysteresis, and is what people are told: card schemes call its third step stand-in processing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rules.breaker import BreakerState
from rules.decision import FallbackReason
from rules.hysteresis import Switch, SwitchPolicy

EASED = 0.8  # of a bound: a busy machine is seldom far below it for many seconds on end, though nothing is wrong


class Mode(StrEnum):
    """From the best to the worst."""

    NORMAL = "normal"  # the model decides
    DEGRADED = "degraded"  # some payments or lanes go by rules, or there is a reason to doubt the model
    STAND_IN = "stand_in"  # rules decide all, within the stand-in limits
    SAFE_DEFAULT = "safe_default"  # rules cannot decide either


class ModeReason(StrEnum):
    """Why a mode is what it is; of several that ask for the same mode the first here is told."""

    FORCED = "FORCED"  # the operator's word
    MODEL_COLD_START = "MODEL_COLD_START"  # there is no model yet, and no scorer is missed
    CONNECTION_ERROR = "CONNECTION_ERROR"  # there is no scorer
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    MODEL_STALE = "MODEL_STALE"
    MODEL_DRIFTS = "MODEL_DRIFTS"  # labels, or scores, are not what they were
    LABELS_STALE = "LABELS_STALE"  # nobody has said for long what payments turned out to be
    RULES_FAILED = "RULES_FAILED"
    CONSUMER_LAG = "CONSUMER_LAG"
    TRANSACTION_TOO_OLD = "TRANSACTION_TOO_OLD"
    RESPONSE_SLOW = "RESPONSE_SLOW"
    RECOVERED = "RECOVERED"  # nothing of all this, for long enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What was seen of a worker since it was last looked at. None: nothing is known of it, which changes nothing."""

    breaker: BreakerState = BreakerState.CLOSED
    released: bool = False  # half-open only because an operator had kept the model out of use
    scorer_alive: bool = True
    has_snapshot: bool = True
    snapshot_age_seconds: float | None = None
    label_age_seconds: float | None = None  # of the newest label that the model in use has learnt from
    drifts: bool = False  # the learner says so of the model in use
    scoring_seconds: float | None = None  # 95th percentile of a batch
    age_seconds: float | None = None  # 95th percentile at decision
    rules_failed_share: float | None = None  # of the payments
    lanes: int = 0
    lanes_behind: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModePolicy:
    """How long a better mode waits, and for how long labels may stay away. Raises ValueError for times below 0."""

    dwell_seconds: float = 1.0  # at least so long in a mode before a better one
    calm_seconds: float = 1.0  # a fact must be gone for so long
    soft_held_seconds: float = 1.0  # an age or a scoring time must be high for so long: one pause is no mode
    soft_calm_seconds: float = 15.0  # and a number low again
    longest_calm_seconds: float = 60.0  # where load comes in waves: each wave within it needs a longer calm, up to it
    labels_stale_hours: float = 168.0  # no label for so long: the model learns from silence alone

    def __post_init__(self) -> None:
        calms = (self.calm_seconds, self.soft_calm_seconds, self.longest_calm_seconds)
        if not all(each >= 0 for each in (*calms, self.dwell_seconds, self.soft_held_seconds, self.labels_stale_hours)):
            raise ValueError("a mode's times cannot be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where doubts begin, in seconds; at EASED of each they end, but those of what is stale at once."""

    slow: float  # a batch is scored so slowly that the breaker counts it
    old: float  # a payment is too old to be scored
    stale: float  # a snapshot is not trusted any more


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeChange:
    """From what mode to what, why, and what was seen. Seconds are those of the clock that is passed in."""

    before: Mode
    after: Mode
    reason: ModeReason
    evidence: Vitals
    at: float
    lasted_seconds: float  # the mode before


class ModeMachine:
    """Worse at once, better only after a dwell and a calm."""

    def __init__(self, policy: ModePolicy, limits: Limits, now: float) -> None:
        self._policy = policy
        self._doubts = tuple(_doubts(policy, limits))
        self._since = now
        self.mode = Mode.NORMAL
        self.reason = ModeReason.RECOVERED
        self.doubts: frozenset[ModeReason] = frozenset()  # all that hold now, whichever the mode tells
        self.withheld: FallbackReason | None = None  # why no payment at all is the model's now, if none is

    def look(self, vitals: Vitals, now: float) -> ModeChange | None:
        """Take in what is seen at `now` (seconds, monotonic); the change that it makes, if any."""
        held = [doubt for doubt in self._doubts if doubt.switch.is_on(doubt.value(vitals), now)]
        self.doubts = frozenset(doubt.reason for doubt in held)
        worst = max(held, key=lambda doubt: _RANK[doubt.mode], default=_NO_DOUBT)  # of equals the first
        if _RANK[worst.mode] < _RANK[self.mode] and now - self._since < self._policy.dwell_seconds:
            return None
        self.withheld = next((doubt.withholds for doubt in held if doubt.withholds), None)
        before, self.mode, self.reason = self.mode, worst.mode, worst.reason
        if self.mode is before:
            return None
        lasted, self._since = now - self._since, now
        return ModeChange(
            before=before, after=self.mode, reason=self.reason, evidence=vitals, at=now, lasted_seconds=lasted
        )


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A reason for a mode, when it holds, and how decisions name it if the model is withheld from all of them."""

    mode: Mode
    reason: ModeReason
    value: Callable[[Vitals], float | None]
    switch: Switch
    withholds: FallbackReason | None = None


_RANK: Mapping[Mode, int] = {mode: rank for rank, mode in enumerate(Mode)}
_TRIED = (BreakerState.OPEN, BreakerState.HALF_OPEN)
_NO_DOUBT = _Doubt(
    Mode.NORMAL, ModeReason.RECOVERED, lambda _: None, Switch(SwitchPolicy(enter=1, leave=0, calm_seconds=0))
)


def _doubts(policy: ModePolicy, limits: Limits) -> Iterator[_Doubt]:
    """All of them, in the order in which equals are told."""

    def fact(true: Callable[[Vitals], bool]) -> tuple[Callable[[Vitals], float], Switch]:
        return true, Switch(SwitchPolicy(enter=1, leave=0, calm_seconds=policy.calm_seconds))

    def number(
        value: Callable[[Vitals], float | None],
        enter: float,
        leave: float,
        calm: float,
        held: float = 0.0,
        longest: float = 0.0,
    ) -> tuple[Any, Switch]:
        switch = SwitchPolicy(
            enter=enter, leave=leave, calm_seconds=calm, held_seconds=held, longest_calm_seconds=longest
        )
        return value, Switch(switch)

    def waves(
        value: Callable[[Vitals], float | None], enter: float, leave: float, held: float = 0.0
    ) -> tuple[Any, Switch]:
        return number(value, enter, leave, soft, held, policy.longest_calm_seconds)

    def snapshot_age(vitals: Vitals) -> float | None:
        return 0.0 if vitals.breaker is BreakerState.FORCED_CLOSED else vitals.snapshot_age_seconds

    def behind_share(vitals: Vitals) -> float:
        return vitals.lanes_behind / vitals.lanes if vitals.lanes else 0.0

    stand_in, degraded, soft = Mode.STAND_IN, Mode.DEGRADED, policy.soft_calm_seconds
    reason, why = ModeReason, FallbackReason
    yield _Doubt(
        stand_in, reason.FORCED, *fact(lambda v: v.breaker is BreakerState.FORCED_OPEN or v.released), why.FORCED
    )
    yield _Doubt(stand_in, reason.MODEL_COLD_START, *fact(lambda v: not v.has_snapshot), why.MODEL_COLD_START)
    yield _Doubt(stand_in, reason.CONNECTION_ERROR, *fact(lambda v: not v.scorer_alive), why.CONNECTION_ERROR)
    yield _Doubt(
        stand_in, reason.CIRCUIT_OPEN, *fact(lambda v: v.breaker in _TRIED and not v.released), why.CIRCUIT_OPEN
    )
    yield _Doubt(
        stand_in,
        reason.MODEL_STALE,
        *number(snapshot_age, limits.stale, 0.99 * limits.stale, policy.calm_seconds),
        why.MODEL_STALE,
    )
    # From all lanes behind until none is: lanes that catch up in turns would have it swing.
    yield _Doubt(stand_in, reason.CONSUMER_LAG, *waves(behind_share, 1.0, 0.0))
    yield _Doubt(Mode.SAFE_DEFAULT, reason.RULES_FAILED, *number(lambda v: v.rules_failed_share, 0.5, 0.1, soft))
    yield _Doubt(degraded, reason.FORCED, *fact(lambda v: v.breaker is BreakerState.FORCED_CLOSED))
    yield _Doubt(degraded, reason.RULES_FAILED, *number(lambda v: v.rules_failed_share, 1e-9, 0.0, soft))
    yield _Doubt(degraded, reason.CONSUMER_LAG, *waves(lambda v: v.lanes_behind, 1.0, 0.0))
    yield _Doubt(degraded, reason.MODEL_DRIFTS, *fact(lambda v: v.drifts))
    labels = 3600 * policy.labels_stale_hours
    yield _Doubt(
        degraded,
        reason.LABELS_STALE,
        *number(lambda v: v.label_age_seconds, labels, 0.99 * labels, policy.calm_seconds),
    )
    old, slow, held = limits.old, limits.slow, policy.soft_held_seconds
    yield _Doubt(degraded, reason.TRANSACTION_TOO_OLD, *waves(lambda v: v.age_seconds, old, EASED * old, held))
    yield _Doubt(degraded, reason.RESPONSE_SLOW, *number(lambda v: v.scoring_seconds, slow, EASED * slow, soft, held))
