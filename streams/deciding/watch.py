"""Tells the rest of the world what the lanes did: metrics, and failures as incidents."""

from collections.abc import Callable, Iterable

from rules.decision import DecisionSource, FallbackReason
from rules.mode import ModeChange, ModeReason
from streams.alerting.announcer import Announcer
from streams.deciding.batch import Decided
from streams.deciding.health import Health
from streams.deciding.lane_state import LaneState
from streams.deciding.scorer_link import ScorerLink
from streams.deciding.scoring import IN_USE, Scoring
from streams.metrics.worker import WorkerMetrics

# Which part failed, for each reason: reasons of one part are one incident, whichever comes first.
SCORER, MODEL, LANES, OPERATOR = "scorer", "model", "lanes", "operator"
INPUT, IDS, RULES, JUDGEMENT, BLOCKS = "input", "transaction-ids", "rules", "judgement", "blocks"
TRANSACTIONS, LABELS, SNAPSHOT = "kafka-transactions", "labels", "snapshot"
_PARTS = {
    FallbackReason.TRANSACTION_TOO_OLD: LANES,
    FallbackReason.CONSUMER_LAG: LANES,
    FallbackReason.FEATURE_MISSING: LANES,
    FallbackReason.MODEL_COLD_START: MODEL,
    FallbackReason.MODEL_STALE: MODEL,
    FallbackReason.FORCED: OPERATOR,
    FallbackReason.RULES_FAILED: JUDGEMENT,
}


class LaneWatch:
    """Called after each committed batch, and twice a second."""

    def __init__(
        self,
        metrics: WorkerMetrics,
        announcer: Announcer,
        scoring: Scoring,
        link: ScorerLink,
        health: Health,
        *,
        lanes: Callable[[], Iterable[LaneState]],
        on_mode: Callable[[ModeChange], None],
    ) -> None:
        self._metrics = metrics
        self._announcer = announcer
        self._scoring = scoring
        self._link = link
        self._health = health
        self._lanes = lanes
        self._on_mode = on_mode
        self._successes = 0

    def decided(self, lane: LaneState, batch: Decided) -> None:
        """A batch is committed."""
        self._metrics.decided(batch)
        self._health.decided(batch)
        self._report_fallbacks(lane, batch)
        self._report_input(batch)
        if batch.blocks_limited:
            self._announcer.failed(BLOCKS, "BLOCK_RATE_HIGH", count=batch.blocks_limited)
        elif batch.tallies and not batch.block_limit_reached:
            self._announcer.healthy(BLOCKS)

    def tick(self) -> None:
        """Look at lanes and at the mode; shadow trials prove the scorer well even where no payment comes."""
        for lane in self._lanes():
            self._metrics.lane(lane.partition, lag=lane.lag, cards=len(lane.profiles))
        change = self._health.look()
        self._metrics.mode(self._health.mode, change)
        if change is not None:
            self._on_mode(change)
        self._metrics.scoring(
            restarts=self._link.restarts,
            state=self._scoring.state,
            snapshot_created=self._scoring.snapshot_created,
            transitions=self._scoring.transitions(),
        )
        if self._scoring.successes > self._successes and self._scoring.state in IN_USE:
            self._announcer.healthy(SCORER)
            self._announcer.healthy(MODEL)
        self._successes = self._scoring.successes
        self._announcer.look(LABELS, "LABELS_STALE", fails=ModeReason.LABELS_STALE in self._health.doubts)
        self._announcer.look(SNAPSHOT, "SNAPSHOT_REFUSED", fails=self._link.refusal is not None)

    def ruleset(self, refusal: str | None) -> None:
        """A rule set came: refused, or taken into force."""
        if refusal is None:
            self._announcer.healthy(RULES)
        else:
            self._announcer.failed(RULES, "RULESET_REFUSED")

    def left_open(self, partitions: int) -> None:
        """So many partitions wait for Kafka to end a transaction of a worker before."""
        self._announcer.look(TRANSACTIONS, "TRANSACTION_LEFT_OPEN", fails=partitions > 0)

    def _report_fallbacks(self, lane: LaneState, batch: Decided) -> None:
        failed = set()
        for reason, tally in batch.fallbacks.items():
            part = _PARTS.get(reason, SCORER)
            failed.add(part)
            self._announcer.failed(
                part,
                reason,
                count=tally.count,
                amount_minor=tally.amount_minor,
                samples=tally.samples,
                partition=lane.partition if part == LANES else None,
                cause=self._cause_of(reason),
            )
        well = {LANES, OPERATOR, JUDGEMENT} if batch.tallies else set()
        if any(source is DecisionSource.MODEL for _, source in batch.tallies):
            well |= {SCORER, MODEL}
        for part in well - failed:
            self._announcer.healthy(part)

    def _cause_of(self, reason: FallbackReason) -> FallbackReason | None:
        """What a failure of the scorer follows from: of a round one piece may be told of it before another."""
        failure = self._scoring.failure
        killed_for_it = failure is FallbackReason.MODEL_INVALID_OUTPUT and reason is FallbackReason.CONNECTION_ERROR
        return failure if killed_for_it or reason is FallbackReason.CIRCUIT_OPEN else None

    def _report_input(self, batch: Decided) -> None:
        reused = sum(count for reason, count in batch.malformed.items() if reason == "ID_REUSED")
        other = sum(batch.malformed.values()) - reused
        for part, reason, count in ((IDS, "ID_REUSED", reused), (INPUT, "DEAD_LETTER", other)):
            if count:
                self._announcer.failed(part, reason, count=count)
            elif batch.tallies:
                self._announcer.healthy(part)
