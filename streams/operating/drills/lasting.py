"""Drills that last: quiet, load that swings, and an outage of minutes with all that waits behind it."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rules.mode import Mode
from streams.operating.drills.drill import SOFT_SECONDS, Check, Drill, Moments
from streams.operating.drills.feed import Feed
from streams.overseeing.tally import percentile

if TYPE_CHECKING:
    from streams.operating.drills.evidence import Evidence
    from streams.operating.drills.scratch_stage import ScratchStage

QUIET_MINUTES = 30
DAY_SECONDS, MOST_BESIDE, STEP_SECONDS = 300.0, 200.0, 0.1  # a day is so short; payments a second at its height

SWING_MINUTES, PERIOD_SECONDS = 10, 10.0
SWING_BURST = 10_000  # payments: beyond deadline.lag_enter in each of four partitions
MOST_CHANGES = 4  # of the mode, of each worker

AWAY_SECONDS = 120.0
FRESH_WITHIN, FRESH_P99_SECONDS, GONE_WITHIN, NORMAL_WITHIN = 30.0, 1.0, 120.0, 60.0  # seconds after it
LOOK_AT = 10.0  # seconds of payments
WORKERS = ("worker-1", "worker-2")


async def _breathes(stage: "ScratchStage") -> None:
    """More payments by day and fewer by night, for some short days."""
    feed, began, owed = Feed(), time.monotonic(), 0.0
    while (passed := time.monotonic() - began) < QUIET_MINUTES * 60:
        owed += STEP_SECONDS * MOST_BESIDE * (1 - math.cos(2 * math.pi * passed / DAY_SECONDS)) / 2
        pause = asyncio.sleep(STEP_SECONDS)
        await asyncio.gather(pause, stage.pay_at_once(feed.next(int(owed))))
        owed -= int(owed)


async def _swings(stage: "ScratchStage") -> None:
    """A burst beyond the bound of the lag, and as long again nothing."""
    feed, due = Feed(), time.monotonic()
    end = due + SWING_MINUTES * 60
    while due < end:
        payments = await asyncio.to_thread(feed.next, SWING_BURST)  # it takes a part of the period
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        await stage.pay_at_once(payments)
        due += PERIOD_SECONDS


def _does_not_flap(evidence: "Evidence", moments: Moments) -> Iterator[Check]:
    changes = Counter(each.subject for each in evidence.modes if each.time.timestamp() >= moments.began)
    yield Check(
        expected=f"the mode of a worker changes {MOST_CHANGES} times at most",
        holds=max(changes.values(), default=0) <= MOST_CHANGES,
        found=", ".join(f"{worker} {count}" for worker, count in sorted(changes.items())) or "never",
    )
    stories = Counter(
        each.subject
        for each in evidence.alerts
        if each.data.started_at.timestamp() >= moments.began and each.data.status == "open"
    )
    yield Check(
        expected="no incident opens twice",
        holds=max(stories.values(), default=0) <= 1,
        found=", ".join(f"{subject} {count}" for subject, count in sorted(stories.items())) or "none opens",
    )


async def _go_away(stage: "ScratchStage") -> None:
    for worker in WORKERS:
        stage.freeze(worker)


async def _come_back(stage: "ScratchStage") -> None:
    for worker in WORKERS:
        stage.thaw(worker)


def _is_normal_for_a_while(evidence: "Evidence", seconds: float) -> bool:
    return seconds > FRESH_WITHIN + LOOK_AT and all(mode is Mode.NORMAL for mode in evidence.latest_modes().values())


def _catches_up(evidence: "Evidence", moments: Moments) -> Iterator[Check]:
    begin = moments.ended + FRESH_WITHIN
    fresh = sorted(each.age_seconds for each in evidence.arrived_between(begin, begin + LOOK_AT))
    p99 = percentile(fresh, 0.99)
    yield Check(
        expected=f"payments are {FRESH_P99_SECONDS:g} s old at p99 from {FRESH_WITHIN:g} s after it on",
        holds=p99 is not None and p99 <= FRESH_P99_SECONDS,
        found="none came" if p99 is None else f"{p99:.3f} s",
    )
    waited = [each.at for each in evidence.arrived_between(moments.began, moments.ended)]
    gone = max(waited, default=moments.ended) - moments.ended
    yield Check(
        expected=f"what waited is decided within {GONE_WITHIN:g} s", holds=gone <= GONE_WITHIN, found=f"{gone:.1f} s"
    )
    modes = evidence.latest_modes()
    changed = max((each.time.timestamp() for each in evidence.modes), default=moments.ended)
    after = max(0.0, changed - max(waited, default=moments.ended))
    yield Check(
        expected=f"every worker is in mode normal {NORMAL_WITHIN:g} s later",
        holds=set(modes.values()) == {Mode.NORMAL} and after <= NORMAL_WITHIN,
        found=", ".join(f"{worker} {mode}" for worker, mode in sorted(modes.items())) + f", {after:.1f} s later",
    )


LASTING = (
    Drill(
        name="quiet",
        summary=f"Nothing fails for {QUIET_MINUTES} minutes; there are more payments by day, and days are short.",
        begins=_breathes,
        lasts_seconds=0.0,
        model_stays=True,
        takes_minutes=True,
    ),
    Drill(
        name="swinging-load",
        summary=f"{SWING_BURST:,} payments come at once, every {PERIOD_SECONDS:g} s for {SWING_MINUTES} minutes.",
        begins=_swings,
        lasts_seconds=0.0,
        reasons=frozenset({"CONSUMER_LAG", "TRANSACTION_TOO_OLD"}),
        detected_within_seconds=SOFT_SECONDS,
        age_p99_ms=None,
        expects=_does_not_flap,
        patience_seconds=600.0,  # a million decisions are scored again, as slowly as reconciler.most_per_second
        takes_minutes=True,
    ),
    Drill(
        name="workers-away",
        summary=f"Both workers stand still for {AWAY_SECONDS:g} seconds, and all payments wait.",
        begins=_go_away,
        ends=_come_back,
        lasts_seconds=AWAY_SECONDS,
        reasons=frozenset({"PROCESS_SILENT", "CONSUMER_LAG", "TRANSACTION_TOO_OLD"}),
        also=frozenset({"RESPONSE_TIMEOUT", "CONNECTION_ERROR", "CIRCUIT_OPEN", "MODEL_COLD_START"}),
        detected_within_seconds=SOFT_SECONDS,
        age_p99_ms=None,
        expects=_catches_up,
        waits_for=_is_normal_for_a_while,
        patience_seconds=300.0,
        takes_minutes=True,
    ),
)
