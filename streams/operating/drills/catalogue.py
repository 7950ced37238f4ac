"""Every drill that takes no longer than it takes people to look at it, and by name those that do."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from streams.broker.topics import Topic
from streams.operating.drills.drill import SOFT_SECONDS, Drill, Where
from streams.operating.drills.feed import Feed
from streams.operating.drills.lasting import LASTING
from streams.operating.drills.scorers import SCORERS
from streams.overseeing.rules_pushing import ACTIVE, shipped_rules
from streams.wire.control import Force

if TYPE_CHECKING:
    from streams.operating.drills.scratch_stage import ScratchStage
    from streams.operating.drills.stage import Stage

STALE = timedelta(days=31)  # beyond scorer.stale_after_hours
WORKERS = ("worker-1", "worker-2")
BURST = 12_000  # payments: far beyond deadline.lag_enter in each of four partitions
BAD_RECORDS, BAD_SECONDS, BAD_STEPS = 3_000, 5.0, 50
DEADLINE_MS = 300.0  # as deadline.deadline_ms is
OUTAGE_SECONDS = 8.0
FROZEN, SILENT_SECONDS = "worker-2", 14.0  # beyond watch.silent_after_seconds

# What an outage of the broker, or a backlog, may bring beside what is expected: workers that start anew, late answers.
_BY_THE_WAY = frozenset(
    {"RESPONSE_TIMEOUT", "CONNECTION_ERROR", "CIRCUIT_OPEN", "MODEL_COLD_START", "CONSUMER_LAG", "TRANSACTION_TOO_OLD"}
)

# Each new model is verified by a process of its own: on two cores its start takes the scorers' time.
_WHILE_PROCESSES_START = frozenset({"RESPONSE_TIMEOUT", "CIRCUIT_OPEN"})


async def _grows_stale(stage: "ScratchStage") -> None:
    await stage.publish(stage.champion, age=STALE)


async def _returns(stage: "ScratchStage") -> None:
    await stage.publish(stage.champion)


async def _goes_wrong(stage: "ScratchStage") -> None:
    await stage.publish(await asyncio.to_thread(stage.wrong_model))


async def _bursts(stage: "ScratchStage") -> None:
    """However fast workers are: they stand still until all of it is there."""
    burst = await asyncio.to_thread(Feed().next, BURST)
    for worker in WORKERS:
        stage.freeze(worker)
    try:
        await stage.pay_at_once(burst)
    finally:
        for worker in WORKERS:
            stage.thaw(worker)


async def _loses_the_broker(stage: "ScratchStage") -> None:
    await asyncio.to_thread(stage.kafka.kill)


async def _has_the_broker_back(stage: "ScratchStage") -> None:
    await asyncio.to_thread(stage.kafka.start)


async def _floods(stage: "Stage") -> None:
    for _ in range(BAD_STEPS):
        pause = asyncio.sleep(BAD_SECONDS / BAD_STEPS)
        keys = (f"tok_{n}".encode() for n in range(BAD_RECORDS // BAD_STEPS))
        bad = (stage.send(Topic.TRANSACTIONS, key, b"{not json") for key in keys)
        await asyncio.gather(pause, *bad)


async def _pushes_a_faulty_set(stage: "Stage") -> None:
    await stage.send(Topic.RULES, ACTIVE, b'name = "poisoned"\n[[rules]]\nid = "r"\nif = "amount_minor > "\n')


async def _pushes_the_shipped_set(stage: "Stage") -> None:
    await stage.send(Topic.RULES, ACTIVE, shipped_rules().encode())


async def _loses_the_learner(stage: "ScratchStage") -> None:
    stage.kill("learner")


async def _freezes_a_worker(stage: "ScratchStage") -> None:
    stage.freeze(FROZEN)


async def _thaws_it(stage: "ScratchStage") -> None:
    stage.thaw(FROZEN)


async def _forces_rules(stage: "Stage") -> None:
    await stage.force(Force.RULES)


async def _releases(stage: "Stage") -> None:
    await stage.force(None)


_ALL = (
    Drill(
        name="stale-model",
        summary="The model in use was made 31 days ago.",
        begins=_grows_stale,
        ends=_returns,
        lasts_seconds=6.0,
        reasons=frozenset({"MODEL_STALE"}),
        detected_within_seconds=SOFT_SECONDS,
        also=_WHILE_PROCESSES_START,
        age_p99_ms=DEADLINE_MS,
    ),
    Drill(
        name="consumer-lag",
        summary=f"{BURST:,} payments come at once.",
        begins=_bursts,
        reasons=frozenset({"CONSUMER_LAG", "TRANSACTION_TOO_OLD"}),
        also=_BY_THE_WAY,
        detected_within_seconds=SOFT_SECONDS,
        age_p99_ms=None,
    ),
    Drill(
        name="broker-outage",
        summary=f"The broker is killed, and started again after {OUTAGE_SECONDS:g} seconds.",
        begins=_loses_the_broker,
        ends=_has_the_broker_back,
        lasts_seconds=OUTAGE_SECONDS,
        reasons=frozenset({"CONSUMER_LAG", "TRANSACTION_TOO_OLD", "KAFKA_SILENT"}),
        also=_BY_THE_WAY,
        detected_within_seconds=OUTAGE_SECONDS + SOFT_SECONDS,  # nobody can be told while it is away
        age_p99_ms=None,
    ),
    Drill(
        name="malformed-flood",
        summary=f"{BAD_RECORDS:,} records come in {BAD_SECONDS:g} seconds that are no payments.",
        where=Where.ANYWHERE,
        begins=_floods,
        lasts_seconds=0.0,
        reasons=frozenset({"DEAD_LETTER"}),
        age_p99_ms=DEADLINE_MS,
        model_stays=True,
    ),
    Drill(
        name="poisoned-rules",
        summary="A rule set is put into force that has faults.",
        begins=_pushes_a_faulty_set,
        ends=_pushes_the_shipped_set,
        reasons=frozenset({"RULESET_REFUSED"}),
        age_p99_ms=DEADLINE_MS,
        model_stays=True,
    ),
    Drill(
        name="wrong-model",
        summary="A sound model is put into use that takes every payment for fraud.",
        begins=_goes_wrong,
        ends=_returns,
        lasts_seconds=8.0,
        reasons=frozenset({"BLOCK_RATE_HIGH"}),
        also=_WHILE_PROCESSES_START,
        detected_within_seconds=SOFT_SECONDS,
        age_p99_ms=DEADLINE_MS,
    ),
    Drill(
        name="learner-dead",
        summary="The learner is killed.",
        begins=_loses_the_learner,
        age_p99_ms=DEADLINE_MS,
        model_stays=True,
    ),
    Drill(
        name="silence",
        summary=f"A worker stands still for {SILENT_SECONDS:g} seconds, and says nothing.",
        begins=_freezes_a_worker,
        ends=_thaws_it,
        lasts_seconds=SILENT_SECONDS,
        reasons=frozenset({"PROCESS_SILENT"}),
        also=_BY_THE_WAY,
        detected_within_seconds=SOFT_SECONDS,
        age_p99_ms=None,
    ),
    Drill(
        name="forced-rules",
        summary="An operator has rules decide everything.",
        where=Where.ANYWHERE,
        begins=_forces_rules,
        ends=_releases,
        lasts_seconds=6.0,
        reasons=frozenset({"FORCED"}),
        also=_WHILE_PROCESSES_START,  # after his word the model is tried in shadow, and that may take a while
    ),
)
DRILLS = {drill.name: drill for drill in (*SCORERS, *_ALL, *LASTING)}
