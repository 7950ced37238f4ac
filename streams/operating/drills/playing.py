"""Plays drills one after the other on one stage, each from a calm to the next."""

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from models.alert import AlertStatus
from streams.auditing.audit import Audit, audit_topics
from streams.operating.drills.drill import Drill
from streams.operating.drills.evidence import Evidence
from streams.operating.drills.judging import Moments, Played, judge
from streams.operating.drills.stage import Stage, staged
from streams.operating.installation import Told
from streams.operating.observer import observe
from streams.operating.simulating import simulate

CALM_SECONDS, CALM_SHARE = 2.0, 0.95  # the model decides for so long, nearly all
LOOK_SECONDS = 0.1
SETTLE_SECONDS = 10.0  # beside each worker a spare is started soon after it, and imports everything
PATIENCE_SECONDS = 90.0
UNHEARD_SECONDS = 3.0  # after which nobody is going to hear of what nobody needs to hear of
AUDIT_SECONDS = 30.0


async def play(
    drills: Iterable[Drill], home: Path, *, rate: float, told: Told, judged: Callable[[Played], None]
) -> Audit:
    """Play them under simulated traffic of `rate` payments a second: each as it is judged, and the audit at the end."""
    async with staged(home, told) as stage:
        evidence = Evidence()
        async with asyncio.TaskGroup() as group:
            work = [
                group.create_task(observe(stage.settings, evidence.takes(), from_beginning=True)),
                group.create_task(simulate(stage.settings, rate=rate, seconds=None, react=False)),
            ]
            await asyncio.sleep(SETTLE_SECONDS)
            for drill in drills:
                told(drill.name, drill.summary)
                moments = await _played(drill, stage, evidence)
                shown = list(evidence.arrived_between(moments.calm_from, moments.over))
                judged(Played(judgement=judge(drill, evidence, moments), decisions=shown))
            for task in reversed(work):
                task.cancel()
        return await audit_topics(stage.settings, wait_seconds=AUDIT_SECONDS)


async def _played(drill: Drill, stage: Stage, evidence: Evidence) -> Moments:
    await _until(lambda: _is_calm(evidence))
    calm_from = time.time()
    await asyncio.sleep(CALM_SECONDS)
    began = time.time()
    await drill.begins(stage)
    await asyncio.sleep(drill.lasts_seconds)
    await drill.ends(stage)
    ended = time.time()

    def over() -> bool:
        return _was_heard(drill, evidence, began) and time.time() > ended + CALM_SECONDS and _is_calm(evidence)

    well = await _until(over)
    return Moments(calm_from=calm_from, began=began, ended=ended, over=time.time(), patience_ended=not well)


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


async def _until(holds: Callable[[], bool]) -> bool:
    """Whether it came to hold before patience was at its end."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > give_up_at:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True
