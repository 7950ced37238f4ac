"""Every metric there is: names, help and labels, in the domain's verbs. Once a batch; labels from enums only."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from rules.breaker import BreakerState, BreakerTransition
from rules.mode import Mode, ModeChange
from rules.revision import Revision
from streams.deciding.batch import Decided

AGE_BOUNDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0)


class BatchHistogram(Collector):
    """A histogram that takes whole batches: prometheus_client's own takes a lock for each value."""

    def __init__(self, name: str, documentation: str, bounds: tuple[float, ...], registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, values: Iterable[float]) -> None:
        """Count a batch of values."""
        for value in values:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Cumulative buckets, as Prometheus wants them."""
        total, buckets = 0, []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)


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
        self._ages = BatchHistogram(
            "holdfast_decision_age_seconds",
            "From the broker's timestamp of a transaction to its decision.",
            AGE_BOUNDS,
            registry,
        )
        self._lag = Gauge(
            "holdfast_lane_lag_records",
            "Records between a lane and the end of its partition.",
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


class LearnerMetrics:
    """What the learner counts."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._labels = Counter("holdfast_labels", "Labels received.", ("source", "state"), registry=registry)
        learnt = Counter("holdfast_examples_learnt", "Examples learnt.", ("state",), registry=registry)
        self._fraud, self._legitimate = learnt.labels("fraud"), learnt.labels("legitimate")
        self._unmatched = Gauge(
            "holdfast_labels_unmatched", "Labels whose transaction was not known, since start.", registry=registry
        )
        self._pending = Gauge("holdfast_examples_pending", "Decisions waiting for their label.", registry=registry)
        self._snapshots = Counter("holdfast_snapshots_published", "Snapshots published.", registry=registry)
        self._newest = Gauge(
            "holdfast_newest_label_timestamp_seconds", "When the newest label was received.", registry=registry
        )

    def label(self, source: str, state: str) -> None:
        """A label came in."""
        self._labels.labels(source, state).inc()

    def learnt(self, *, is_fraud: bool) -> None:
        """An example was learnt."""
        (self._fraud if is_fraud else self._legitimate).inc()

    def waiting(self, *, waiting: int, unmatched: int, newest_label: float) -> None:
        """A round of reading is done."""
        self._pending.set(waiting)
        self._unmatched.set(unmatched)
        self._newest.set(newest_label)

    def published(self) -> None:
        """A snapshot is out."""
        self._snapshots.inc()


class ReconcilerMetrics:
    """What the reconciler counts; `waits` tells, whenever it is asked, for how many seconds a decision has waited."""

    def __init__(self, waits: Callable[[], float]) -> None:
        self.registry = registry = CollectorRegistry()
        labels = ("fallback_reason", "decided_outcome", "agreement", "outcome")
        self._revisions = Counter("holdfast_revisions", "Decisions scored again.", labels, registry=registry)
        self._amounts = Counter(
            "holdfast_revised_amount_minor",
            "Their amounts in minor units, currencies added up as they are.",
            labels,
            registry=registry,
        )
        self._refused = Counter(
            "holdfast_unreadable_decisions", "Records of the decision topics that are no decisions.", registry=registry
        )
        self._waits = Gauge(
            "holdfast_unreconciled_seconds",
            "How long the earliest decision made without the model waits to be scored again.",
            registry=registry,
        )
        self._waits.set_function(waits)

    def revised(self, revisions: Iterable[Revision]) -> None:
        """Count what was published."""
        for each in revisions:
            labels = (each.fallback_reason, each.decided_outcome, each.agreement, each.outcome or "")
            self._revisions.labels(*labels).inc()
            self._amounts.labels(*labels).inc(each.amount_minor)

    def refused(self) -> None:
        """A record could not be read."""
        self._refused.inc()


class WatcherMetrics:
    """Who lives, as the watcher hears it."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._silent = Gauge(
            "holdfast_process_silent", "1 for a process that has gone silent.", ("process",), registry=registry
        )

    def seen(self, process: str, *, silent: bool) -> None:
        """A process is known."""
        self._silent.labels(process).set(silent)

    def forgotten(self, process: str) -> None:
        """It ended as it should."""
        with suppress(KeyError):
            self._silent.remove(process)


class ForwardMetrics:
    """What became of alerts that were to go elsewhere."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._forwarded = Counter("holdfast_alerts_forwarded", "Alerts taken.", ("place",), registry=registry)
        self._refused = Counter(
            "holdfast_alerts_refused", "Alerts refused for good, and passed over.", ("place",), registry=registry
        )
        self._failed = Counter(
            "holdfast_forward_failures", "Tries after which an alert is tried again.", ("place",), registry=registry
        )

    def forwarded(self, place: str) -> None:
        """An alert was taken."""
        self._forwarded.labels(place).inc()

    def refused(self, place: str) -> None:
        """An alert was refused for good."""
        self._refused.labels(place).inc()

    def failed(self, place: str) -> None:
        """There was no answer, or one that means later."""
        self._failed.labels(place).inc()


class AuditMetrics:
    """What `holdfast audit --follow` finds; `lag` tells, whenever it is asked, how many seconds it is behind."""

    def __init__(self, lag: Callable[[], float]) -> None:
        self.registry = registry = CollectorRegistry()
        self._unaccounted = Gauge(
            "holdfast_unaccounted_transactions",
            "Transactions without an ending for longer than the grace time; NaN until that is known.",
            registry=registry,
        )
        self._unaccounted.set(math.nan)
        self._outstanding = Gauge(
            "holdfast_outstanding_transactions", "Transactions read that have not ended yet.", registry=registry
        )
        self._accounted = Counter(
            "holdfast_accounted_transactions", "Transactions that ended.", ("ending",), registry=registry
        )
        self._contradictions = Counter(
            "holdfast_audit_contradictions",
            "Endings of what had ended before, under another id, or unreadable.",
            ("kind",),
            registry=registry,
        )
        self._skipped = Counter(
            "holdfast_audit_skipped_records", "Records deleted before the audit read them.", registry=registry
        )
        self._lag = Gauge(
            "holdfast_audit_lag_seconds", "How long ago the moment is that the audit speaks of.", registry=registry
        )
        self._lag.set_function(lag)
        self._told: dict[tuple[Counter, str], int] = {}

    def settled(self, *, unaccounted: int | None, outstanding: int) -> None:
        """What stands open; `unaccounted` is None while that is not known."""
        self._unaccounted.set(math.nan if unaccounted is None else unaccounted)
        self._outstanding.set(outstanding)

    def ended(self, endings: Iterable[tuple[str, int]], contradictions: Iterable[tuple[str, int]]) -> None:
        """How many there were of each since the start."""
        for counter, counts in ((self._accounted, endings), (self._contradictions, contradictions)):
            for label, count in counts:
                counter.labels(label).inc(count - self._told.get((counter, label), 0))
                self._told[counter, label] = count

    def skipped(self, records: int) -> None:
        """Records were gone before they were read."""
        self._skipped.inc(records)


def expose(registry: CollectorRegistry, host: str, port: int) -> int | None:
    """Serve `/metrics`; returns the port, or None where none is wanted (-1)."""
    if port < 0:
        return None
    server, _ = start_http_server(port, host, registry)
    return int(server.server_port)
