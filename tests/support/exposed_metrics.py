"""The metrics that the code exposes, and those that a text speaks of."""

import re
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from streams.metrics.auditor import AuditMetrics
from streams.metrics.console import ConsoleMetrics
from streams.metrics.forwarder import ForwardMetrics
from streams.metrics.learner import LearnerMetrics
from streams.metrics.reconciler import ReconcilerMetrics
from streams.metrics.watcher import WatcherMetrics
from streams.metrics.worker import WorkerMetrics

_SERIES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposedMetric:
    """One metric as Prometheus sees it."""

    name: str  # with _total where it is a counter
    type: str
    labels: tuple[str, ...]
    series: frozenset[str]


def exposed_metrics() -> dict[str, ExposedMetric]:
    """Every metric of every process, by name."""
    processes = (
        WorkerMetrics(),
        LearnerMetrics(),
        ReconcilerMetrics(lambda: 0.0),
        WatcherMetrics(),
        ForwardMetrics(),
        AuditMetrics(lambda: 0.0),
        ConsoleMetrics(),
    )
    found = [metric for process in processes for metric in _of(process.registry)]
    return {metric.name: metric for metric in found}


def metrics_named_in(text: str) -> set[str]:
    """Names of series in PromQL or prose."""
    return set(re.findall(r"\bholdfast_[a-z_]+\b", text))


def _of(registry: CollectorRegistry) -> list[ExposedMetric]:
    metrics = []
    for collector in registry._collector_to_names:
        (family,) = collector.collect()
        metrics.append(
            ExposedMetric(
                name=family.name + ("_total" if family.type == "counter" else ""),
                type=family.type,
                labels=tuple(getattr(collector, "_labelnames", ())),
                series=frozenset(family.name + end for end in _SERIES[family.type]),
            )
        )
    return metrics
