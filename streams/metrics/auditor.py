"""What `holdfast audit --follow` tells Prometheus."""

import math
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge


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
