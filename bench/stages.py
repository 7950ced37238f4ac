"""Where the processor time of a decision goes, stage by stage, in the decider alone: no broker, no second process.

    python -m bench.stages --payments 20000

The decider is the product's own, with a warmed-up model behind it that answers at once; what its scorer takes is told
apart. Each stage is timed where the decider calls it, by the time of the processor and less what a timer itself takes;
`glue` is what lies between.
"""

import asyncio
import gc
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import wraps
from importlib.resources import files
from itertools import islice
from typing import Annotated, Any

import orjson
import typer
from aiokafka import ConsumerRecord
from rich.console import Console
from rich.table import Table

from bench.installation import WARM_UP_PAYMENTS
from models.card import pack
from models.simulator.policy import TrafficPolicy
from models.simulator.traffic import traffic
from models.snapshot import to_plain
from rules.breaker import Breaker
from rules.decision import DecisionSource
from rules.judgement import Judge
from rules.lag import LagGate, LagPolicy
from rules.ruleset import parse_ruleset
from streams.deciding import decider, profiles
from streams.deciding.decider import Decider
from streams.deciding.knowledge import Knowledge
from streams.deciding.lane_state import LaneState, Taken
from streams.deciding.profiles import ProfileStore
from streams.deciding.scorer_child import Scored
from streams.deciding.scorer_frames import Frame, FrameBuffer, Kind, frame, read_answer
from streams.deciding.scorer_process import Scorer
from streams.deciding.scoring import Scoring
from streams.operating.machine import cores_and_processor
from streams.operating.warming import learnt_from_simulation
from streams.settings import DeadlineSettings, Settings
from streams.wire.codec import write_transaction
from streams.worker import GARBAGE_AFTER

# Stage, whose it is, and by which names the decider calls it.
STAGES: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    ("parse", decider, ("read_transaction",)),
    ("dedupe", decider, ("id_hash", "content_fingerprint")),
    ("unpack profile", profiles, ("unpack",)),
    ("features", decider, ("regard", "matrix_of")),
    ("rules", decider, ("_verdict",)),
    ("judge", Judge, ("with_score", "without_score")),
    ("write", decider, ("numbers", "features_told", "contributions_told", "write_line", "card_history")),
    ("pack profile", profiles, ("pack",)),
    ("scores to records", Scored, ("scores",)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Microseconds of processor time for each payment; `decider` is all of it but what the scorer takes."""

    payments: int
    batch: int
    decider: float
    stages: dict[str, float]
    scorer: float
    decision_bytes: float  # mean
    by_model: float  # share
    machine: str


class _Timers:
    """Adds up what calls take, by stage, less what a timer takes of that; the rest of it is told apart."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._calls: Counter[str] = Counter()
        self._within, self._around = self._of_a_timer()
        self.clear()

    def timed(self, stage: str, called: Callable[..., Any]) -> Callable[..., Any]:
        """The same, timed."""
        clock, seconds, calls = time.thread_time, self._seconds, self._calls

        @wraps(called)
        def timing(*given: Any, **named: Any) -> Any:
            began = clock()
            answer = called(*given, **named)
            seconds[stage] += clock() - began
            calls[stage] += 1
            return answer

        return timing

    def stages(self) -> dict[str, float]:
        """Seconds of each stage."""
        return {stage: took - self._calls[stage] * self._within for stage, took in self._seconds.items()}

    def own(self) -> float:
        """Seconds that the timers took."""
        return sum(self._calls.values()) * (self._within + self._around)

    def clear(self) -> None:
        """Begin anew."""
        self._seconds.clear()
        self._calls.clear()

    def _of_a_timer(self) -> tuple[float, float]:
        def nothing() -> None: ...

        timing, times = self.timed("nothing", nothing), 200_000
        began = time.thread_time()
        for _ in range(times):
            timing()
        timed = time.thread_time() - began
        began = time.thread_time()
        for _ in range(times):
            nothing()
        bare = time.thread_time() - began
        within = (self._seconds["nothing"] - bare / 2) / times  # half of an empty turn is the call
        return within, (timed - bare) / times - within


class _ScorerAtHand:
    """The scorer's own code, asked without a socket; what it takes is counted apart."""

    restarts = 0

    def __init__(self, snapshot: bytes) -> None:
        self._scorer, self._buffer = Scorer(), FrameBuffer()
        self.seconds = 0.0
        self._version = self._ask(frame(Kind.LOAD, 0, snapshot)).payload.decode()

    async def score(self, matrix: bytes, rows: int, budget_seconds: float) -> Scored:  # noqa: ARG002 - as of the link
        began = time.thread_time()
        answer = self._ask(frame(Kind.SCORE, 1, matrix, rows=rows))
        self.seconds += time.thread_time() - began
        return Scored(read_answer(answer), self._version)

    def condemn(self) -> None:
        raise RuntimeError("the model's answers are not to be believed")

    def _ask(self, question: bytes) -> Frame:
        (asked,) = self._buffer.feed(question)
        (answer,) = self._buffer.feed(self._scorer.answer(asked))
        return answer


def main(
    payments: Annotated[int, typer.Option(min=2_000)] = 20_000,
    batch: Annotated[int, typer.Option(min=1, max=2000, help="Payments in a batch.")] = 200,
    cards: Annotated[int, typer.Option(min=100)] = 5_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Measure the stages of the decider."""
    found = asyncio.run(_measure(payments, batch, TrafficPolicy(seed=99, cards=cards)))
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    table = Table("Stage", "us", title=f"A decision, in batches of {batch}")
    for stage, took in (found.stages | {"decider": found.decider, "scorer": found.scorer}).items():
        table.add_row(stage, f"{took:.1f}")
    Console().print(table)
    typer.echo(f"{found.decision_bytes:.0f} bytes a decision, {found.by_model:.1%} by the model; {found.machine}")


async def _measure(payments: int, batch: int, policy: TrafficPolicy) -> Stages:
    warm_up = learnt_from_simulation(policy, WARM_UP_PAYMENTS)
    scorer = _ScorerAtHand(orjson.dumps(to_plain(warm_up.learner.model.snapshot())))
    records = _records(policy, payments)
    lane, clock = _lane(), [0.0]
    for card, profile in warm_up.profiles.items():
        lane.profiles.restored(card.encode(), pack(profile))
    deciding, knowledge = _decider(scorer, lambda: clock[0])
    knowledge.merchants.update(warm_up.learner.merchants)
    timers, spent, decided_by_model, sizes = _Timers(), 0.0, 0, []
    _time_stages(timers)
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)  # as a worker does
    for first in range(0, payments, batch):
        these = records[first : first + batch]
        clock[0] = these[-1].timestamp / 1000
        began = time.thread_time()
        [decided] = await deciding.decide([Taken(lane, these)])
        spent += time.thread_time() - began
        decided_by_model += sum(count for (_, by), count in decided.tallies.items() if by is DecisionSource.MODEL)
        sizes += [len(each.value or b"") for those in decided.decisions.values() for each in those]
    us = 1e6 / payments
    stages = {stage: us * took for stage, took in timers.stages().items()}
    whole = us * (spent - scorer.seconds - timers.own())
    return Stages(
        payments=payments,
        batch=batch,
        decider=whole,
        stages=stages | {"glue": whole - sum(stages.values())},
        scorer=us * scorer.seconds,
        decision_bytes=sum(sizes) / len(sizes),
        by_model=decided_by_model / len(sizes),
        machine=cores_and_processor(),
    )


def _time_stages(timers: _Timers) -> None:
    for stage, where, names in STAGES:
        for name in names:
            setattr(where, name, timers.timed(stage, getattr(where, name)))


def _records(policy: TrafficPolicy, payments: int) -> list[ConsumerRecord]:
    made = []
    for offset, each in enumerate(islice(traffic(policy), WARM_UP_PAYMENTS, WARM_UP_PAYMENTS + payments)):
        paid = each.transaction
        key, value = paid.pan_token.encode(), write_transaction(paid)
        at = round(paid.event_time.timestamp() * 1000) + 5
        made.append(
            ConsumerRecord("transactions", 0, offset, at, 1, key, value, None, len(key), len(value), headers=())
        )
    return made


def _lane() -> LaneState:
    gate = LagGate(LagPolicy(enter=5_000, leave=500, calm_seconds=2.0))
    return LaneState(topic="transactions", partition=0, profiles=ProfileStore(), gate=gate)


def _decider(scorer: _ScorerAtHand, clock: Callable[[], float]) -> tuple[Decider, Knowledge]:
    def ignore(*_: object) -> None: ...

    settings = Settings(deadline=DeadlineSettings(deadline_ms=10**9))  # event time flies here
    rules = parse_ruleset(files("rules").joinpath("default.toml").read_text("utf-8"))
    knowledge = Knowledge(rules, on_snapshot=ignore, on_fault=ignore, on_ruleset=ignore, on_order=ignore)
    scoring = Scoring(scorer, Breaker(settings.breaker, random.random), settings.scorer)
    return Decider(settings, knowledge, scoring, withheld=lambda: None, clock=clock, monotonic=clock), knowledge


if __name__ == "__main__":
    typer.run(main)
