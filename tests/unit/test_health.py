"""What is seen of a worker becomes its mode: each observation is taken from where it is made."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.deciding import NOW, a_lane

from rules.breaker import BreakerState
from rules.decision import FallbackReason
from rules.mode import Mode, ModePolicy, ModeReason
from streams.deciding.batch import Decided
from streams.deciding.health import Health
from streams.settings import Settings


class Seen:
    """A worker that is well, until a test says otherwise."""

    def __init__(self) -> None:
        self.now = 100.0
        self.took = [0.001] * 20
        self.scoring = SimpleNamespace(
            state=BreakerState.CLOSED, is_released=False, snapshot_created=NOW - 60, durations=lambda: list(self.took)
        )
        self.link = SimpleNamespace(alive=True, has_snapshot=True)
        self.lanes = [a_lane(), a_lane()]
        self.health = Health(
            replace(Settings(), mode=ModePolicy(soft_held_seconds=0.0)),
            self.scoring,
            self.link,
            lanes=lambda: self.lanes,
            clock=lambda: NOW,
            monotonic=lambda: self.now,
        )

    def batch(self, *ages: float, rules_failed: int = 0) -> None:
        self.health.decided(Decided(ages=list(ages), rules_failed=rules_failed))


def slow(seen: Seen) -> None:
    seen.took = [0.001] * 9 + [0.021] * 11


def stale(seen: Seen) -> None:
    seen.scoring.snapshot_created = NOW - 721 * 3600


def one_behind(seen: Seen) -> None:
    seen.lanes[0].lag = 5_000


def all_behind(seen: Seen) -> None:
    for lane in seen.lanes:
        lane.lag = 5_000


@pytest.mark.parametrize(
    ("happens", "mode", "reason"),
    [
        (lambda seen: setattr(seen.scoring, "state", BreakerState.OPEN), Mode.STAND_IN, ModeReason.CIRCUIT_OPEN),
        (lambda seen: setattr(seen.link, "alive", False), Mode.STAND_IN, ModeReason.CONNECTION_ERROR),
        (lambda seen: setattr(seen.link, "has_snapshot", False), Mode.STAND_IN, ModeReason.MODEL_COLD_START),
        (stale, Mode.STAND_IN, ModeReason.MODEL_STALE),
        (slow, Mode.DEGRADED, ModeReason.RESPONSE_SLOW),
        (one_behind, Mode.DEGRADED, ModeReason.CONSUMER_LAG),
        (all_behind, Mode.STAND_IN, ModeReason.CONSUMER_LAG),
        (lambda seen: seen.batch(*[0.01] * 5, *[0.3] * 5), Mode.DEGRADED, ModeReason.TRANSACTION_TOO_OLD),
        (lambda seen: seen.health.model_came(labelled_at=None, drifts=True), Mode.DEGRADED, ModeReason.MODEL_DRIFTS),
        (lambda seen: seen.health.model_came(labelled_at=1.0, drifts=False), Mode.DEGRADED, ModeReason.LABELS_STALE),
        (lambda seen: seen.batch(*[0.01] * 99, 0.01, rules_failed=1), Mode.DEGRADED, ModeReason.RULES_FAILED),
        (lambda seen: seen.batch(0.01, 0.01, rules_failed=1), Mode.SAFE_DEFAULT, ModeReason.RULES_FAILED),
    ],
)
def test_each_observation_reaches_the_mode(happens: Callable[[Seen], Any], mode: Mode, reason: ModeReason) -> None:
    seen = Seen()
    seen.batch(0.01)
    assert seen.health.look() is None
    assert seen.health.mode is Mode.NORMAL

    happens(seen)
    with capture_logs() as said:
        change = seen.health.look()

    assert change is not None
    assert (change.after, change.reason, seen.health.mode) == (mode, reason, mode)
    assert [(each["event"], each["after"]) for each in said] == [("mode_changed", mode)]


def test_each_look_sees_what_came_since_the_one_before() -> None:
    seen = Seen()
    seen.batch(*[0.3] * 10)
    seen.health.look()
    for _ in range(40):
        seen.now += 0.5
        seen.batch(0.01)
        seen.health.look()
    assert seen.health.mode is Mode.NORMAL


def test_what_is_withheld_is_told() -> None:
    seen = Seen()
    seen.link.alive = False
    seen.health.look()
    assert seen.health.withheld is FallbackReason.CONNECTION_ERROR


def test_a_snapshot_that_nobody_has_made_yet_has_no_age() -> None:
    seen = Seen()
    seen.scoring.snapshot_created = None
    assert seen.health.look() is None
