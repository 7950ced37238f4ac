"""A decider on its own: a lane in memory, a scorer that behaves, clocks that stand still."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

import orjson
from aiokafka import ConsumerRecord
from msgspec import structs
from support.fake_scorer import FakeScorer
from support.records import consumed
from support.rule_inputs import ORDINARY_TRANSACTION
from support.stopped_clock import StoppedClock

from models.transaction import Transaction
from rules.breaker import Breaker, BreakerPolicy
from rules.decision import Decision, FallbackReason
from rules.lag import LagGate, LagPolicy
from rules.ruleset import RuleSet, parse_ruleset
from streams.deciding.batch import Decided
from streams.deciding.decider import Decider
from streams.deciding.knowledge import Knowledge
from streams.deciding.lane_state import LaneState, Taken
from streams.deciding.profiles import ProfileStore
from streams.deciding.scoring import Scoring
from streams.settings import Settings
from streams.wire.codec import read_decision, write_transaction
from streams.wire.dead_letter import DeadLetterReport, read_dead_letter

NOW = 1_767_225_600.0  # the clocks of all processes here
NEVER_OPENS = BreakerPolicy(consecutive_failures=1_000_000, window=1_000_000, failure_share=1.0)  # but by poison


@cache
def default_rules() -> RuleSet:
    return parse_ruleset(files("rules").joinpath("default.toml").read_text("utf-8"))


def transaction(number: int, **changes: object) -> Transaction:
    """An ordinary payment of a card of its own, a second old."""
    then = datetime.fromtimestamp(NOW - 1, UTC)
    plain = {"transaction_id": f"t-{number}", "pan_token": f"tok_{number}", "event_time": then}
    return structs.replace(ORDINARY_TRANSACTION, **(plain | changes))


def record_of(sent: Transaction, *, offset: int = 0, at: float = NOW) -> ConsumerRecord:
    return consumed(write_transaction(sent), key=sent.pan_token.encode(), offset=offset, at=at)


def a_lane() -> LaneState:
    gate = LagGate(LagPolicy(enter=5_000, leave=500, calm_seconds=2.0))
    return LaneState(topic="transactions", partition=0, profiles=ProfileStore(), gate=gate)


@dataclass
class Desk:
    """Everything that decides, and the lane it decides for."""

    settings: Settings = field(default_factory=Settings)
    ruleset: RuleSet = field(default_factory=default_rules)
    scorer: FakeScorer = field(default_factory=FakeScorer)
    clock: StoppedClock = field(default_factory=lambda: StoppedClock(NOW))
    lane: LaneState = field(default_factory=a_lane)
    withheld: FallbackReason | None = None

    def __post_init__(self) -> None:
        def ignore(*_: object) -> None: ...

        self.scoring = Scoring(self.scorer, Breaker(NEVER_OPENS), self.settings.scorer)
        self.knowledge = Knowledge(
            self.ruleset,
            on_snapshot=ignore,
            on_fault=ignore,
            on_ruleset=ignore,
            on_order=lambda order: self.scoring.obey(order, datetime.fromtimestamp(self.clock.now, UTC)),
        )
        self.decider = Decider(
            self.settings,
            self.knowledge,
            self.scoring,
            withheld=lambda: self.withheld,
            clock=self.clock,
            monotonic=lambda: self.clock.now,
        )

    async def decide(self, *records: ConsumerRecord) -> Decided:
        [decided] = await self.decider.decide([Taken(self.lane, records)])
        return decided

    async def decision(self, sent: Transaction, *, at: float = NOW) -> Decision:
        """The one decision on a payment sent alone."""
        (made,) = decisions(await self.decide(record_of(sent, at=at)))
        return made


def decisions(decided: Decided) -> list[Decision]:
    """All decisions of a batch, as their topics hold them, by offset."""
    made = []
    for outcome, outgoing in decided.decisions.items():
        for each in outgoing:
            decision = read_decision(each.value)
            assert decision.outcome is outcome
            assert each.key is not None
            assert orjson.loads(each.value or b"")["pan_token"].encode() == each.key
            made.append(decision)
    return sorted(made, key=lambda decision: decision.input.offset)


def dead_letters(decided: Decided) -> list[DeadLetterReport]:
    return [read_dead_letter(*each) for each in decided.dead_letters]
