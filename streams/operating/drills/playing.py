"""Plays drills one after the other on one stage, each from a calm to the next."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from models.alert import AlertStatus
from streams.auditing.audit import Audit, audit_topics
from streams.operating.drills.drill import Drill, Moments
from streams.operating.drills.evidence import Evidence
from streams.operating.drills.judging import judge
from streams.operating.drills.live_stage import live_stage
from streams.operating.drills.results import Result, result_of
from streams.operating.drills.scratch_stage import scratch_stage
from streams.operating.drills.stage import Stage
from streams.operating.installation import Told
from streams.operating.simulating import simulate
from streams.overseeing.observer import observe
from streams.settings import Settings

CALM_SECONDS, CALM_SHARE = 2.0, 0.95  # the model decides for so long, nearly all
LOOK_SECONDS = 0.1
SETTLE_SECONDS = 25.0  # spares are started soon after their workers and import everything, and Java compiles
UNHEARD_SECONDS = 3.0  # after which nobody is going to hear of what nobody needs to hear of
AUDIT_SECONDS = 30.0
BREAK_OFF_SECONDS, MOST_MISSED = 2.0, 0.1  # a live drill ends if so many of the latest payments are late

Judged = Callable[[Result], None]


async def play(drills: Iterable[Drill], home: Path, *, rate: float, told: Told, judged: Judged) -> Audit:
    """Play them on a scratch installation, under simulated traffic of `rate` payments a second.

    Each is handed over as it is judged; the audit is made at the end.
    """
    async with scratch_stage(home, told) as stage:
        simulated = simulate(stage.settings, rate=rate, seconds=None, react=False)
        await _play(drills, stage, told, judged, beside=simulated, settle_seconds=SETTLE_SECONDS, guarded=False)
        return await audit_topics(stage.settings, wait_seconds=AUDIT_SECONDS)


async def play_live(
    drills: Iterable[Drill], settings: Settings, *, who: str, why: str, told: Told, judged: Judged
) -> Audit:
    """Play them on the installation of these settings, under the traffic that it has; the audit is of that time.

    Raises NotNow where it is not well to begin with. What a drill brought about is taken back before its time where
    payments suffer.
    """
    began = time.time()
    async with live_stage(settings, who=who, why=why) as stage:
        await _play(drills, stage, told, judged, beside=None, settle_seconds=CALM_SECONDS, guarded=True)
        return await audit_topics(settings, since=began, wait_seconds=AUDIT_SECONDS)


async def _play(
    drills: Iterable[Drill],
    stage: Stage,
    told: Told,
    judged: Judged,
    *,
    beside: Awaitable[object] | None,
    settle_seconds: float,
    guarded: bool,
) -> None:
    evidence = Evidence()
    async with asyncio.TaskGroup() as group:
        work = [group.create_task(observe(stage.settings, evidence.takes(), from_beginning=not guarded, at_once=False))]
        if beside is not None:
            work.append(group.create_task(_awaited(beside)))
        await asyncio.sleep(settle_seconds)
        for drill in drills:
            told(drill.name, drill.summary)
            moments = await _played(drill, stage, evidence, guarded=guarded)
            shown = evidence.arrived_between(moments.calm_from, moments.over)
            judged(result_of(judge(drill, evidence, moments), shown))
        for task in reversed(work):
            task.cancel()


async def _awaited(work: Awaitable[object]) -> None:
    await work


async def _played(drill: Drill, stage: Stage, evidence: Evidence, *, guarded: bool) -> Moments:
    await _until(lambda: _is_calm(evidence), drill.patience_seconds)
    calm_from = time.time()
    await asyncio.sleep(CALM_SECONDS)
    began = time.time()
    try:
        await drill.begins(stage)
        broken_off = await _lasts(drill, evidence, guarded=guarded)
    finally:  # also when somebody interrupts
        await drill.ends(stage)
    ended = time.time()

    def over() -> bool:
        seconds = time.time() - ended
        heard = _was_heard(drill, evidence, began)
        return heard and seconds > CALM_SECONDS and _is_calm(evidence) and drill.waits_for(evidence, seconds)

    well = await _until(over, drill.patience_seconds)
    return Moments(
        calm_from=calm_from,
        began=began,
        ended=ended,
        over=time.time(),
        patience_ended=not well,
        broken_off=broken_off,
    )


async def _lasts(drill: Drill, evidence: Evidence, *, guarded: bool) -> bool:
    """Let the failure last; whether it had to be broken off."""
    until = time.monotonic() + drill.lasts_seconds
    while (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(left, LOOK_SECONDS))
        if guarded and evidence.lately_missed(time.time(), BREAK_OFF_SECONDS) > MOST_MISSED:
            return True
    return False


def _is_calm(evidence: Evidence) -> bool:
    by_model = evidence.lately_by_model(time.time(), CALM_SECONDS)
    return by_model >= CALM_SHARE and not evidence.open_incidents() and not evidence.unsettled()


def _was_heard(drill: Drill, evidence: Evidence, began: float) -> bool:
    """Whether what must be heard of was; where nothing must, after a while."""
    if not drill.reasons:
        return time.time() > began + UNHEARD_SECONDS
    return any(
        each.data.status is AlertStatus.OPEN
        and each.data.reason in drill.reasons
        and each.data.started_at.timestamp() >= began
        for each in evidence.alerts
    )


async def _until(holds: Callable[[], bool], patience_seconds: float) -> bool:
    """Whether it came to hold before patience was at its end."""
    give_up_at = time.monotonic() + patience_seconds
    while not holds():
        if time.monotonic() > give_up_at:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True
