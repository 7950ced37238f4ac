"""What the console tells Prometheus."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from models.information import InformationAnswer
from rules.complaint import Complaint, ComplaintRefusal, StoppedPayment, stopped_by_revision
from rules.reviewer_quality import Kappa
from rules.revision import Revision, RevisionKind
from streams.broker.topics import Topic
from streams.reviewing.publications import Telling
from streams.reviewing.second_looks import LookState
from streams.reviewing.store import QueueLength
from streams.wire.codec import read_complaint, read_request, read_revision
from streams.wire.review_price import read_price_event

COMPLAINT_SECONDS = (600, 3600, 4 * 3600, 24 * 3600, 3 * 24 * 3600, 7 * 24 * 3600, 30 * 24 * 3600)


class ConsoleMetrics:
    """What was published of cases, how long queues are, what was asked and answered."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._outcomes = Counter(
            "holdfast_review_outcomes", "Cases closed and published.", ("kind", "outcome", "reason"), registry=registry
        )
        line = ("queue", "line")
        self._cases = Gauge("holdfast_review_queue_cases", "Cases that are not closed.", line, registry=registry)
        self._waiting = Gauge(
            "holdfast_review_waiting_cases", "Of them, those that wait for information.", line, registry=registry
        )
        self._late = Gauge(
            "holdfast_review_late_cases", "Of them, those near their due time or beyond.", line, registry=registry
        )
        self._oldest = Gauge(
            "holdfast_review_oldest_seconds", "Age of the decision of the oldest of them.", line, registry=registry
        )
        self._outbox = Gauge(
            "holdfast_review_outbox_seconds", "How long what is to be published next has waited.", registry=registry
        )
        self._next_of_outbox: tuple[int, datetime] | None = None  # its number, and since when it is the next
        self._requests = Counter(
            "holdfast_information_requests", "Questions published.", ("asked", "channel"), registry=registry
        )
        self._answers = Counter("holdfast_information_answers", "Answers taken.", ("reply",), registry=registry)
        self._refused = Counter(
            "holdfast_information_answers_refused", "Answers too late, or to no question.", registry=registry
        )
        self._unreadable = Counter(
            "holdfast_review_unreadable_records", "Records outside the contract.", registry=registry
        )

        self._stopped = Counter(
            "holdfast_stopped_payments", "Payments blocked, at once or after a review.", ("source",), registry=registry
        )
        self._complaints = Counter(
            "holdfast_complaints", "Words on complaints published.", ("state", "source"), registry=registry
        )
        self._settled_in = Histogram(
            "holdfast_complaint_seconds",
            "From a complaint to its settlement.",
            ("source",),
            buckets=COMPLAINT_SECONDS,
            registry=registry,
        )
        self._unsettled = Gauge("holdfast_complaints_waiting", "Complaints that nobody has settled.", registry=registry)
        self._longest_unsettled = Gauge(
            "holdfast_complaint_oldest_seconds", "How long the first of them waits.", registry=registry
        )
        self._complaints_refused = Counter(
            "holdfast_complaints_refused", "Complaints that were not taken.", ("reason",), registry=registry
        )

        self._looks = Gauge("holdfast_second_looks", "Second looks at cases.", ("state",), registry=registry)
        self._kappa = Gauge(
            "holdfast_reviewer_kappa",
            "Cohen's kappa of second looks of the last 90 days, with the bounds of its 95 % interval.",
            ("bound",),
            registry=registry,
        )
        self._drifting = Gauge(
            "holdfast_reviewers_drifting",
            "Reviewers who decided otherwise than the others this week or the one before.",
            registry=registry,
        )

        self._price = Gauge(
            "holdfast_review_price_minor", "What a review is taken to cost, minor units.", registry=registry
        )
        self._expected_wait = Gauge(
            "holdfast_review_expected_wait_seconds", "How long a case would wait that comes soon.", registry=registry
        )
        self._price_moves = Counter(
            "holdfast_review_price_moves", "Moves of that price published.", ("reason",), registry=registry
        )

    def told(self, told: Iterable[Telling]) -> None:
        """Count what was published."""
        for each in told:
            if each.topic is Topic.REVISED:
                self._revised(read_revision(each.value.encode()))
            elif each.topic is Topic.INFORMATION_REQUESTED:
                request = read_request(each.value.encode())
                self._requests.labels(request.asked, request.channel).inc()
            elif each.topic is Topic.REVIEW_PRICES:
                self._price_moves.labels(read_price_event(each.value.encode()).data.reason).inc()
            elif each.topic is Topic.COMPLAINTS:
                self._told_of(read_complaint(each.value.encode()))

    def _revised(self, revision: Revision) -> None:
        if revision.kind is RevisionKind.COMPLAINT_UPHELD:
            return  # no end of a review; the complaint that goes with it counts
        reason = revision.verdict_reason or next(iter(revision.reason_codes), "")
        self._outcomes.labels(revision.kind, revision.outcome, reason).inc()
        self.stopped(filter(None, [stopped_by_revision(revision)]))

    def stopped(self, payments: Iterable[StoppedPayment]) -> None:
        """These were seen to be stopped."""
        for each in payments:
            self._stopped.labels(each.source).inc()

    def complaints(self, waiting: int, first: datetime | None, now: datetime) -> None:
        """How many nobody has settled, and since when the first waits."""
        self._unsettled.set(waiting)
        self._longest_unsettled.set(0.0 if first is None else (now - first).total_seconds())

    def reviewers(self, looks: Mapping[LookState, int], kappa: Kappa | None, drifting: int) -> None:
        """How well they agree, as far as that is known, and how many decide otherwise than the others."""
        for state, count in looks.items():
            self._looks.labels(state).set(count)
        if kappa is not None:
            for bound, value in (("estimate", kappa.kappa), ("low", kappa.low), ("high", kappa.high)):
                self._kappa.labels(bound).set(value)
        self._drifting.set(drifting)

    def price(self, minor: int, expected_wait: float) -> None:
        """What a review is taken to cost, and how long a case would wait, in seconds."""
        self._price.set(minor)
        self._expected_wait.set(expected_wait)

    def complaint_refused(self, reason: ComplaintRefusal) -> None:
        """A complaint was not taken."""
        self._complaints_refused.labels(reason).inc()

    def _told_of(self, complaint: Complaint) -> None:
        self._complaints.labels(complaint.state, complaint.decision_source).inc()
        if complaint.settled_at is not None:
            waited = complaint.settled_at - complaint.complained_at
            self._settled_in.labels(complaint.decision_source).observe(waited.total_seconds())

    def queues(self, lengths: Iterable[QueueLength], now: datetime) -> None:
        """How long they are now; those that are empty are not shown."""
        for gauge in (self._cases, self._waiting, self._late, self._oldest):
            gauge.clear()
        for each in lengths:
            labels = (each.queue, str(each.line))
            self._cases.labels(*labels).set(each.cases)
            self._waiting.labels(*labels).set(each.waiting)
            self._late.labels(*labels).set(each.late)
            self._oldest.labels(*labels).set((now - each.oldest).total_seconds())

    def outbox(self, first: int | None, now: datetime) -> None:
        """The number of what is to be published next; None: the topics have all there is."""
        if first is None:
            self._next_of_outbox = None
        elif self._next_of_outbox is None or self._next_of_outbox[0] != first:
            self._next_of_outbox = (first, now)
        waited = 0.0 if self._next_of_outbox is None else (now - self._next_of_outbox[1]).total_seconds()
        self._outbox.set(waited)

    def answered(self, answer: InformationAnswer) -> None:
        """An answer was taken."""
        self._answers.labels(answer.reply).inc()

    def answer_refused(self) -> None:
        """An answer came too late, or to no question."""
        self._refused.inc()

    def unreadable(self) -> None:
        """A record could not be read."""
        self._unreadable.inc()
