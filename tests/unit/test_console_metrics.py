"""What the console counts of what it publishes, and for how long it could not."""

from datetime import UTC, datetime, timedelta

from support.wire_samples import PLACE, a_decision

from rules.complaint import Complaint, ComplaintState, StoppedPayment
from rules.decision import DecisionSource
from rules.revision import decided
from streams.metrics.console import ConsoleMetrics
from streams.reviewing.publications import complaint_tellings

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def waited(metrics: ConsoleMetrics) -> float | None:
    return metrics.registry.get_sample_value("holdfast_review_outbox_seconds")


def test_the_outbox_waits_for_as_long_as_the_same_is_next() -> None:
    metrics = ConsoleMetrics()
    seen = []
    for number, first in enumerate((None, 7, 7, 7, 8, None, 9)):
        metrics.outbox(first, NOW + number * MINUTE)
        seen.append(waited(metrics))
    assert seen == [0, 0, 60, 120, 0, 0, 0]


def test_each_word_on_a_complaint_counts_by_who_stopped_the_payment_and_its_time_once_it_is_settled() -> None:
    metrics = ConsoleMetrics()
    source = DecisionSource.MODEL
    stopped = StoppedPayment(decided=decided(a_decision(), PLACE), source=source, model_version="m-7", stopped_at=NOW)
    received = Complaint(complaint_id="c-1", transaction_id="t-1", complained_at=NOW).about(stopped)
    upheld = received.settled(ComplaintState.UPHELD, "ann", NOW + 30 * MINUTE)
    for each in (received, upheld):
        metrics.told(complaint_tellings(each, each.revision(stopped, "s-1")))
    metrics.stopped([stopped])

    def sample(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"source": "model", **labels})

    assert sample("holdfast_complaints_total", state="received") == 1
    assert sample("holdfast_complaints_total", state="upheld") == 1
    assert sample("holdfast_complaint_seconds_sum") == 1800
    assert sample("holdfast_complaint_seconds_count") == 1
    assert sample("holdfast_stopped_payments_total") == 1
    outcomes = [each for each in metrics.registry.collect() if each.name == "holdfast_review_outcomes"]
    assert [each.samples for each in outcomes] == [[]]  # a complaint that was upheld ends no review
