"""What `holdfast forward` tells Prometheus."""

from prometheus_client import CollectorRegistry, Counter


class ForwardMetrics:
    """What became of alerts and questions that were to go elsewhere."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._forwarded = Counter("holdfast_forwarded", "Events taken.", ("place",), registry=registry)
        self._refused = Counter(
            "holdfast_forward_refused", "Events refused for good, and passed over.", ("place",), registry=registry
        )
        self._failed = Counter(
            "holdfast_forward_failures", "Tries after which an event is tried again.", ("place",), registry=registry
        )

    def forwarded(self, place: str) -> None:
        """An event was taken."""
        self._forwarded.labels(place).inc()

    def refused(self, place: str) -> None:
        """An event was refused for good."""
        self._refused.labels(place).inc()

    def failed(self, place: str) -> None:
        """There was no answer, or one that means later."""
        self._failed.labels(place).inc()
