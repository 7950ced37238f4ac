"""What the learner tells Prometheus."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from models.exam import Refusal, Verdict


class LearnerMetrics:
    """What the learner counts."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._labels = Counter("holdfast_labels", "Labels received.", ("source", "state"), registry=registry)
        self._labels_refused = Counter(
            "holdfast_labels_refused", "Labels set aside for people.", ("source", "reason"), registry=registry
        )
        self._silenced = Gauge("holdfast_label_sources_silenced", "Sources that are not heard now.", registry=registry)
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
        refused = Counter("holdfast_candidates_refused", "Models that failed their exam.", ("why",), registry=registry)
        self._refused = {why: refused.labels(why.value) for why in Refusal}
        self._rollbacks = Counter("holdfast_model_rollbacks", "Rollbacks to a model that was kept.", registry=registry)
        exam = ("model",)
        self._precision = Gauge(
            "holdfast_exam_average_precision", "Average precision in the latest exam.", exam, registry=registry
        )
        self._loss = Gauge("holdfast_exam_log_loss", "Log loss in the latest exam.", exam, registry=registry)
        self._drift = Gauge(
            "holdfast_model_drift", "1 while there is this sign of drift.", ("sign",), registry=registry
        )

    def drifts(self, signs: Mapping[str, bool]) -> None:
        """Which signs of drift there are now."""
        for sign, holds in signs.items():
            self._drift.labels(sign).set(holds)

    def examined(self, verdict: Verdict) -> None:
        """A candidate has sat its exam."""
        if verdict.refusal is not None:
            self._refused[verdict.refusal].inc()
        for whose in ("champion", "candidate"):
            if f"{whose}_log_loss" in verdict.measured:
                self._precision.labels(whose).set(verdict.measured[f"{whose}_average_precision"])
                self._loss.labels(whose).set(verdict.measured[f"{whose}_log_loss"])

    def label(self, source: str, state: str) -> None:
        """A label came in."""
        self._labels.labels(source, state).inc()

    def label_refused(self, source: str, reason: str) -> None:
        """A label was set aside."""
        self._labels_refused.labels(source, reason).inc()

    def silenced(self, sources: int) -> None:
        """So many sources are not heard now."""
        self._silenced.set(sources)

    def learnt(self, *, is_fraud: bool) -> None:
        """An example was learnt."""
        (self._fraud if is_fraud else self._legitimate).inc()

    def waiting(self, *, waiting: int, unmatched: int, newest_label: float) -> None:
        """A round of reading is done."""
        self._pending.set(waiting)
        self._unmatched.set(unmatched)
        self._newest.set(newest_label)

    def published(self, *, goes_back: bool) -> None:
        """A snapshot is out, of a model that was gone back to or not."""
        self._snapshots.inc()
        self._rollbacks.inc(goes_back)
