"""What the watcher tells Prometheus."""

from collections.abc import Collection, Mapping
from contextlib import suppress

from prometheus_client import CollectorRegistry, Gauge


class WatcherMetrics:
    """Who lives, as the watcher hears it."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._silent = Gauge(
            "holdfast_process_silent", "1 for a process that has gone silent.", ("process",), registry=registry
        )
        self._canary = Gauge(
            "holdfast_canary_seconds",
            "From sending the last canary of a partition to hearing of its decision.",
            ("partition",),
            registry=registry,
        )
        self._undecided = Gauge(
            "holdfast_partition_silent", "1 for a partition that nobody decides.", ("partition",), registry=registry
        )
        self._input = Gauge(
            "holdfast_input_silent_seconds", "Since the latest payment was seen to come in.", registry=registry
        )

    def input(self, seconds: float) -> None:
        """For so long no payment came in."""
        self._input.set(seconds)

    def seen(self, process: str, *, silent: bool) -> None:
        """A process is known."""
        self._silent.labels(process).set(silent)

    def forgotten(self, process: str) -> None:
        """It ended as it should."""
        with suppress(KeyError):
            self._silent.remove(process)

    def canaries(self, took: Mapping[int, float], *, late: Collection[int]) -> None:
        """Seconds that the last canary of each partition took; partitions that are late."""
        for partition, seconds in took.items():
            self._canary.labels(partition).set(seconds)
            self._undecided.labels(partition).set(0)
        for partition in late:
            self._undecided.labels(partition).set(1)
