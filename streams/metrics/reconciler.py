"""What the reconciler tells Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from rules.revision import Revision


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
