"""Metrics: names and help by Prometheus' conventions, and numbers that add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.metrics_core import Metric

from models.dead_letter import DeadLetterReason
from rules.breaker import Breaker, BreakerPolicy, BreakerState
from rules.decision import DecisionSource, FallbackReason, Outcome
from rules.mode import Limits, Mode, ModeMachine, ModePolicy, Vitals
from streams.deciding.batch import Decided, FallbackTally
from streams.metrics.batch_histogram import BatchHistogram
from streams.metrics.endpoint import expose
from streams.metrics.learner import LearnerMetrics
from streams.metrics.worker import AGE_BOUNDS, WorkerMetrics

METRICS = [*WorkerMetrics().registry.collect(), *LearnerMetrics().registry.collect()]
NOT_BASE_UNITS = ("_ms", "_milliseconds", "_minutes", "_hours", "_days", "_kilobytes", "_percent", "_minor")
QUANTITIES = ("age", "timestamp", "duration", "delay")  # of time: to be told in seconds

each_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


@each_metric
def test_a_metric_is_of_this_product_and_explains_itself(metric: Metric) -> None:
    assert metric.name.startswith("holdfast_")
    assert metric.documentation.endswith(".")
    assert len(metric.documentation) > 10


@each_metric
def test_a_metric_is_told_in_base_units(metric: Metric) -> None:
    assert not metric.name.endswith(NOT_BASE_UNITS)
    if any(quantity in metric.name.split("_") for quantity in QUANTITIES):
        assert metric.name.endswith("_seconds")


@each_metric
def test_only_a_counter_is_a_total(metric: Metric) -> None:
    assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket"))  # the client adds these


def test_no_two_metrics_share_a_name() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def exposition(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]


@given(st.lists(st.lists(st.sampled_from([*AGE_BOUNDS, 0.0, 1e-9]) | st.floats(0, 1_000), max_size=20), max_size=4))
def test_a_histogram_of_batches_is_what_prometheus_client_would_give(batches: list[list[float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    batched = BatchHistogram("ages_seconds", "Ages.", AGE_BOUNDS, ours)
    single = Histogram("ages_seconds", "Ages.", buckets=AGE_BOUNDS, registry=theirs)
    for batch in batches:
        batched.observe(batch)
        for value in batch:
            single.observe(value)
    assert exposition(ours) == exposition(theirs)


def test_a_batch_is_counted() -> None:
    metrics = WorkerMetrics()
    batch = Decided(duplicates=2, ages=[0.01, 0.4], deadlines_missed=1)
    batch.tallies[Outcome.REVIEW, DecisionSource.RULES] = 2
    batch.fallbacks[FallbackReason.FORCED] = FallbackTally(count=2)
    batch.malformed[DeadLetterReason.NOT_JSON] = 3
    metrics.decided(batch)
    metrics.decided(batch)
    read = metrics.registry.get_sample_value
    assert read("holdfast_decisions_total", {"outcome": "review", "decision_source": "rules"}) == 4
    assert read("holdfast_fallbacks_total", {"fallback_reason": "FORCED"}) == 4
    assert read("holdfast_dead_letters_total", {"reason": "NOT_JSON"}) == 6
    assert read("holdfast_duplicates_total") == 4
    assert read("holdfast_deadline_missed_total") == 2
    assert read("holdfast_decision_age_seconds_count") == 4
    assert read("holdfast_decision_age_seconds_bucket", {"le": "0.01"}) == 2


def test_the_breaker_is_in_one_state() -> None:
    metrics = WorkerMetrics()
    metrics.scoring(restarts=1, state=BreakerState.OPEN, snapshot_created=None)
    metrics.scoring(restarts=2, state=BreakerState.HALF_OPEN, snapshot_created=5.0)
    read = metrics.registry.get_sample_value
    assert [read("holdfast_breaker_state", {"state": each}) for each in BreakerState] == [0.0, 0.0, 1.0, 0.0, 0.0]


def test_what_the_breaker_did_is_counted_by_its_new_state_and_cause() -> None:
    metrics, breaker = WorkerMetrics(), Breaker(BreakerPolicy())
    for _ in range(2):
        breaker.failed(0.0, poison=True)
        breaker.force(BreakerState.FORCED_CLOSED, 0.0)
        breaker.release(0.0)
        metrics.scoring(restarts=0, state=BreakerState.CLOSED, snapshot_created=None, transitions=breaker.transitions())
    read = metrics.registry.get_sample_value
    assert read("holdfast_breaker_transitions_total", {"state": "open", "cause": "poison"}) == 2.0
    assert read("holdfast_breaker_transitions_total", {"state": "closed", "cause": "released"}) == 2.0


def test_the_worker_is_in_one_mode_and_its_changes_are_counted() -> None:
    metrics = WorkerMetrics()
    machine = ModeMachine(ModePolicy(), Limits(slow=0.02, old=0.25, stale=60.0), now=0.0)
    for vitals, now in ((Vitals(scorer_alive=False), 1.0), (Vitals(scorer_alive=False), 2.0), (Vitals(), 9.0)):
        metrics.mode(machine.mode, machine.look(vitals, now))
    metrics.mode(machine.mode, None)
    read = metrics.registry.get_sample_value
    assert [read("holdfast_mode", {"mode": each}) for each in Mode] == [0.0, 0.0, 1.0, 0.0]
    assert read("holdfast_mode_changes_total", {"mode": "stand_in", "reason": "CONNECTION_ERROR"}) == 1.0


def test_lanes_that_went_are_not_told_of_any_more() -> None:
    metrics = WorkerMetrics()
    metrics.lane(3, lag=7, cards=9)
    assert metrics.registry.get_sample_value("holdfast_lane_lag_records", {"partition": "3"}) == 7
    metrics.assigned(0)
    assert metrics.registry.get_sample_value("holdfast_lane_lag_records", {"partition": "3"}) is None


def test_no_port_is_opened_where_none_is_wanted() -> None:
    assert expose(CollectorRegistry(), "127.0.0.1", -1) is None
