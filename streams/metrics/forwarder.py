"""What `holdfast forward` tells Prometheus."""

from prometheus_client import CollectorRegistry, Counter


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
