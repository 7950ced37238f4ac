"""What a worker tells Prometheus."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from rules.breaker import BreakerState, BreakerTransition
from rules.mode import Mode, ModeChange
from streams.deciding.batch import Decided
from streams.metrics.batch_histogram import BatchHistogram

AGE_BOUNDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0)


class WorkerMetrics:
    """What a worker counts."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._decisions = Counter(
            "holdfast_decisions", "Decisions made.", ("outcome", "decision_source"), registry=registry
        )
        self._fallbacks = Counter(
            "holdfast_fallbacks", "Decisions not made by the model.", ("fallback_reason",), registry=registry
        )
        self._dead_letters = Counter(
            "holdfast_dead_letters", "Records that could not be decided.", ("reason",), registry=registry
        )
        self._duplicates = Counter("holdfast_duplicates", "Records recognised as decided before.", registry=registry)
        self._missed = Counter("holdfast_deadline_missed", "Decisions later than their deadline.", registry=registry)
        self._blocks_limited = Counter(
            "holdfast_blocks_limited", "Blocks that became reviews, because too many were.", registry=registry
        )
        self._explored = Counter("holdfast_explored", "Blocks let through to learn what they are.", registry=registry)
        self._ages = BatchHistogram(
            "holdfast_decision_age_seconds",
            "From the broker's timestamp of a transaction to its decision.",
            AGE_BOUNDS,
            registry,
        )
        self._lag = Gauge(
            "holdfast_lane_lag_records",
            "Records up to the end of a partition that are not decided yet.",
            ("partition",),
            registry=registry,
        )
        self._cards = Gauge("holdfast_profiles", "Cards remembered.", ("partition",), registry=registry)
        self._lanes = Gauge("holdfast_lanes", "Partitions that this worker decides.", registry=registry)
        self._restarts = Gauge("holdfast_scorer_restarts", "Scorer processes replaced since start.", registry=registry)
        self._breaker = Gauge(
            "holdfast_breaker_state", "1 for the state the circuit breaker is in.", ("state",), registry=registry
        )
        self._mode = Gauge("holdfast_mode", "1 for the mode that the worker is in.", ("mode",), registry=registry)
        self._mode_changes = Counter(
            "holdfast_mode_changes", "Changes of the worker's mode.", ("mode", "reason"), registry=registry
        )
        self._transitions = Counter(
            "holdfast_breaker_transitions",
            "Changes of the circuit breaker's state.",
            ("state", "cause"),
            registry=registry,
        )
        self._snapshot = Gauge(
            "holdfast_snapshot_created_timestamp_seconds", "When the model in use was made.", registry=registry
        )

    def decided(self, batch: Decided) -> None:
        """Count a committed batch."""
        for (outcome, source), count in batch.tallies.items():
            self._decisions.labels(outcome, source).inc(count)
        for reason, tally in batch.fallbacks.items():
            self._fallbacks.labels(reason).inc(tally.count)
        for malformed, count in batch.malformed.items():
            self._dead_letters.labels(malformed).inc(count)
        self._duplicates.inc(batch.duplicates)
        self._missed.inc(batch.deadlines_missed)
        self._blocks_limited.inc(batch.blocks_limited)
        self._explored.inc(batch.explored)
        self._ages.observe(batch.ages)

    def lane(self, partition: int, *, lag: int, cards: int) -> None:
        """State of one lane."""
        self._lag.labels(str(partition)).set(lag)
        self._cards.labels(str(partition)).set(cards)

    def assigned(self, lanes: int) -> None:
        """Partitions came or went."""
        self._lanes.set(lanes)
        self._lag.clear()
        self._cards.clear()

    def mode(self, mode: Mode, change: ModeChange | None) -> None:
        """The mode of the worker, and the change that led to it if there was one."""
        for each in Mode:
            self._mode.labels(each).set(each is mode)
        if change is not None:
            self._mode_changes.labels(change.after, change.reason).inc()

    def scoring(
        self,
        *,
        restarts: int,
        state: BreakerState,
        snapshot_created: float | None,
        transitions: Iterable[BreakerTransition] = (),
    ) -> None:
        """State of the scorer and its breaker."""
        self._restarts.set(restarts)
        for each in BreakerState:
            self._breaker.labels(each).set(each is state)
        for transition in transitions:
            self._transitions.labels(transition.after, transition.cause).inc()
        if snapshot_created is not None:
            self._snapshot.set(snapshot_created)
