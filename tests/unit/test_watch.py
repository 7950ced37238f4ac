"""The watch: what lanes did becomes incidents, and only proof of health ends them."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from support.deciding import Desk, a_lane, record_of, transaction
from support.stopped_clock import StoppedClock

from models.alert import Alert, AlertStatus
from models.dead_letter import DeadLetterReason
from rules.breaker import BreakerState
from rules.decision import DecisionSource, FallbackReason, Outcome
from rules.incidents import IncidentPolicy, Incidents
from rules.mode import Mode, ModeChange, ModeReason, Vitals
from rules.moment import Moment
from streams.deciding.batch import Decided, FallbackTally
from streams.deciding.watch import LaneWatch
from streams.metrics.worker import WorkerMetrics

OPEN, RESOLVED = AlertStatus.OPEN, AlertStatus.RESOLVED


class Announcer:
    """Announces to a list."""

    def __init__(self) -> None:
        self.clock = StoppedClock()
        self.incidents = Incidents(IncidentPolicy(soft_batches=1, quiet_seconds=3.0), source="w")
        self.alerts: list[Alert] = []

    def failed(
        self,
        component: str,
        reason: str,
        *,
        samples: list[str] | None = None,
        cause: str | None = None,
        **facts: int | None,
    ) -> None:
        alert = self.incidents.failed(component, reason, self.now(), samples=samples or (), cause=cause, **facts)
        self.alerts += [alert] if alert else []

    def healthy(self, component: str) -> None:
        self.incidents.healthy(component, self.now())

    def look(self, component: str, reason: str, *, fails: bool) -> None:
        if fails:
            self.failed(component, reason, count=0)
        else:
            self.healthy(component)

    def now(self) -> Moment:
        return Moment(datetime.fromtimestamp(self.clock.now, UTC), self.clock.now)

    def pass_(self, seconds: float) -> None:
        self.clock.pass_(seconds)
        self.alerts += self.incidents.due(self.now())

    @property
    def told(self) -> list[tuple[str, str, AlertStatus]]:
        return [(alert.component, alert.reason, alert.status) for alert in self.alerts]


class Link:
    restarts = 0
    refusal: str | None = None


class Gate:
    successes = 0
    failure: FallbackReason | None = None
    state = BreakerState.CLOSED
    snapshot_created = None

    def transitions(self) -> tuple[()]:
        return ()


class Well:
    """Health, as far as the watch knows it."""

    def __init__(self) -> None:
        self.mode = Mode.NORMAL
        self.doubts: frozenset[ModeReason] = frozenset()
        self.change: ModeChange | None = None

    def decided(self, batch: Decided) -> None: ...

    def look(self) -> ModeChange | None:
        change, self.change = self.change, None
        return change


class Watched:
    """A watch over a desk."""

    def __init__(self) -> None:
        self.announcer, self.link, self.gate, self.desk = Announcer(), Link(), Gate(), Desk()
        self.health = Well()
        self.changes: list[ModeChange] = []
        self.metrics, self.lanes = WorkerMetrics(), [a_lane()]
        self.watch = LaneWatch(
            self.metrics,
            self.announcer,
            self.gate,
            self.link,
            self.health,
            lanes=lambda: self.lanes,
            on_mode=self.changes.append,
        )
        self.number = 0

    async def batch(self, failure: FallbackReason | None = None) -> None:
        self.number += 1
        self.desk.scorer.failure = failure
        self.watch.decided(a_lane(), await self.desk.decide(record_of(transaction(self.number))))


@pytest.fixture
def watched() -> Watched:
    return Watched()


async def test_an_episode_is_one_alert_to_open_and_one_to_resolve(watched: Watched) -> None:
    for why in (FallbackReason.RESPONSE_TIMEOUT, FallbackReason.CIRCUIT_OPEN, FallbackReason.CONNECTION_ERROR):
        await watched.batch(why)
    await watched.batch()
    watched.announcer.pass_(3.0)
    assert watched.announcer.told == [
        ("scorer", "RESPONSE_TIMEOUT", OPEN),
        ("scorer", "RESPONSE_TIMEOUT", RESOLVED),
    ]
    assert watched.announcer.alerts[-1].count == 3


def test_the_lag_of_each_lane_is_what_it_is_now_and_not_what_its_last_batch_found(watched: Watched) -> None:
    for lag in (5_000, 0):
        watched.lanes[0].lag = lag
        watched.watch.tick()
        assert watched.metrics.registry.get_sample_value("holdfast_lane_lag_records", {"partition": "0"}) == lag


async def test_batches_without_the_model_prove_nothing_of_it(watched: Watched) -> None:
    await watched.batch(FallbackReason.RESPONSE_TIMEOUT)
    watched.desk.knowledge.take_control(b"mode", b'{"force": "rules"}')
    await watched.batch()
    watched.watch.tick()
    watched.announcer.pass_(10.0)
    assert ("scorer", "RESPONSE_TIMEOUT", RESOLVED) not in watched.announcer.told


async def test_trials_in_shadow_prove_the_scorer_well_once_the_breaker_closed(watched: Watched) -> None:
    await watched.batch(FallbackReason.RESPONSE_TIMEOUT)
    watched.gate.successes, watched.gate.state = 1, BreakerState.HALF_OPEN
    watched.watch.tick()
    watched.announcer.pass_(5.0)
    assert len(watched.announcer.alerts) == 1
    watched.gate.successes, watched.gate.state = 2, BreakerState.CLOSED
    watched.watch.tick()
    watched.announcer.pass_(1.0)
    assert watched.announcer.told[-1] == ("scorer", "RESPONSE_TIMEOUT", RESOLVED)


def test_a_change_of_mode_is_told_once(watched: Watched) -> None:
    change = ModeChange(
        before=Mode.NORMAL,
        after=Mode.STAND_IN,
        reason=ModeReason.CIRCUIT_OPEN,
        evidence=Vitals(),
        at=5.0,
        lasted_seconds=2.0,
    )
    watched.health.change = change
    watched.watch.tick()
    watched.watch.tick()
    assert watched.changes == [change]


def test_labels_that_stay_away_are_an_incident_until_one_comes(watched: Watched) -> None:
    watched.health.doubts = frozenset({ModeReason.LABELS_STALE})
    for _ in range(5):
        watched.watch.tick()
        watched.announcer.pass_(1.0)
    watched.health.doubts = frozenset()
    watched.watch.tick()
    watched.announcer.pass_(5.0)
    assert watched.announcer.told == [("labels", "LABELS_STALE", OPEN), ("labels", "LABELS_STALE", RESOLVED)]


def test_a_transaction_left_open_is_an_incident_until_none_is(watched: Watched) -> None:
    watched.watch.left_open(2)
    watched.announcer.pass_(5.0)
    watched.watch.left_open(0)
    watched.announcer.pass_(5.0)
    assert [status for _, reason, status in watched.announcer.told if reason == "TRANSACTION_LEFT_OPEN"] == [
        OPEN,
        RESOLVED,
    ]


def test_too_many_blocks_are_one_incident_for_as_long_as_the_limit_is_reached(watched: Watched) -> None:
    paid = Counter({(Outcome.APPROVE, DecisionSource.MODEL): 1})
    for limited, reached in ((3, True), (0, True), (1, True), (0, True), (0, True), (0, False)):
        watched.watch.decided(a_lane(), Decided(tallies=paid, blocks_limited=limited, block_limit_reached=reached))
        watched.announcer.pass_(3.1)
    assert [told for told in watched.announcer.told if told[0] == "blocks"] == [
        ("blocks", "BLOCK_RATE_HIGH", OPEN),
        ("blocks", "BLOCK_RATE_HIGH", RESOLVED),
    ]
    assert watched.announcer.alerts[-1].count == 4


async def test_a_refused_snapshot_stays_an_incident_until_another_is_taken(watched: Watched) -> None:
    watched.link.refusal = "the content does not match its hash"
    for _ in range(10):
        watched.watch.tick()
        watched.announcer.pass_(1.0)
    watched.link.refusal = None
    watched.watch.tick()
    watched.announcer.pass_(3.0)
    assert watched.announcer.told == [
        ("snapshot", "SNAPSHOT_REFUSED", OPEN),
        ("snapshot", "SNAPSHOT_REFUSED", RESOLVED),
    ]


def test_a_refused_rule_set_stays_an_incident_until_one_is_taken(watched: Watched) -> None:
    watched.watch.ruleset("1:1: no")
    watched.announcer.pass_(10.0)
    watched.watch.ruleset(None)
    watched.announcer.pass_(10.0)
    assert [status for _, _, status in watched.announcer.told] == [OPEN, RESOLVED]


def test_a_batch_that_decided_nothing_proves_no_lane_well(watched: Watched) -> None:
    watched.announcer.failed("lanes", "CONSUMER_LAG")
    watched.watch.decided(a_lane(), Decided(duplicates=5))
    watched.announcer.pass_(10.0)
    assert watched.announcer.told == [("lanes", "CONSUMER_LAG", OPEN)]


@pytest.mark.parametrize("reason", FallbackReason)
def test_every_fallback_opens_an_incident(watched: Watched, reason: FallbackReason) -> None:
    batch = Decided()
    batch.fallbacks[reason] = FallbackTally(count=1, samples=["t-1"])
    watched.watch.decided(a_lane(), batch)
    assert [(told, status) for _, told, status in watched.announcer.told] == [(reason, OPEN)]


@pytest.mark.parametrize(
    "other", [FallbackReason.CIRCUIT_OPEN, FallbackReason.CONNECTION_ERROR, FallbackReason.CONSUMER_LAG]
)
def test_a_breaker_met_before_what_opened_it_is_told_has_the_name_of_that(
    watched: Watched, other: FallbackReason
) -> None:
    watched.gate.failure = FallbackReason.MODEL_INVALID_OUTPUT
    for reason in (other, FallbackReason.MODEL_INVALID_OUTPUT):
        batch = Decided()
        batch.fallbacks[reason] = FallbackTally(count=1, samples=["t-1"])
        watched.watch.decided(a_lane(), batch)
    expected = [("scorer", FallbackReason.MODEL_INVALID_OUTPUT, OPEN)]
    if other is FallbackReason.CONSUMER_LAG:
        expected.insert(0, ("lanes", other, OPEN))
    assert watched.announcer.told == expected


async def test_rules_that_fail_are_an_incident_of_their_own(watched: Watched) -> None:
    batch = Decided()
    batch.fallbacks[FallbackReason.RULES_FAILED] = FallbackTally(count=1)
    watched.watch.decided(a_lane(), batch)
    watched.watch.ruleset(None)
    watched.announcer.pass_(5.0)
    await watched.batch()
    watched.announcer.pass_(0.0)
    assert watched.announcer.told == [("judgement", "RULES_FAILED", OPEN), ("judgement", "RULES_FAILED", RESOLVED)]


def test_bad_input_is_told_apart_from_reused_ids(watched: Watched) -> None:
    batch = Decided()
    batch.malformed.update({DeadLetterReason.NOT_JSON: 2, DeadLetterReason.ID_REUSED: 1})
    watched.watch.decided(a_lane(), batch)
    assert watched.announcer.told == [("transaction-ids", "ID_REUSED", OPEN), ("input", "DEAD_LETTER", OPEN)]
