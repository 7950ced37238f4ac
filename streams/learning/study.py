"""The learner's work on records already read: examples, lessons, and the state that a snapshot must carry."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka import ConsumerRecord

from models.classifier import restored
from models.drift_watch import Drift, DriftSign, DriftWatch
from models.examples import Example, LabelJoin, Lesson, pack_features
from models.label_trust import LabelTrust
from models.learner import Learner
from models.snapshot import Snapshot
from rules.decision import Decision, Outcome
from rules.policy import CostPolicy
from streams.learning.guard import Guard
from streams.learning.label_intake import LabelIntake, SetAside
from streams.learning.positions import Positions
from streams.metrics.learner import LearnerMetrics
from streams.settings import LearnerSettings
from streams.wire.codec import MalformedRecord, read_decision
from streams.wire.dead_letter import dead_letter

log = structlog.get_logger()

DAY = 86_400.0


class Study:
    """Takes records in, learns what they teach, and says when a snapshot is due.

    The clock of labels is event time: the newest event time of all decisions read, and only once both decisions and
    labels were read to their end, so that nothing matures while its report lies unread.
    """

    def __init__(
        self,
        settings: LearnerSettings,
        learner: Learner,
        metrics: LearnerMetrics,
        *,
        trust: LabelTrust | None = None,
        costs: CostPolicy | None = None,
        champion: Snapshot | None = None,
        taught: int = 0,
    ) -> None:
        self._settings = settings
        self._costs = costs or CostPolicy()
        self._taught = taught  # lessons, those included that were given up with a model that became unfit
        self.guard = Guard(champion, metrics)
        self.order = ""  # the last that was carried out
        self._metrics = metrics
        self._join = LabelJoin(
            maturity_seconds=settings.maturity_days * DAY,
            keep_seconds=settings.keep_days * DAY,
            limit=settings.most_examples,
            trust=trust,
        )
        self._newest_event = 0.0
        self._snapshot_at = time.monotonic()
        self._lessons_at_snapshot = 0
        self._lessons = 0
        self.learner = learner
        self.drift = DriftWatch()
        self.evidence: dict[str, str] = {}  # of drift, by sign
        self.positions = Positions()
        self.dead_letters: SetAside = []
        self.labels = LabelIntake(trust or LabelTrust(), self._join, self.positions, self.dead_letters, metrics)
        self.card_partitions: dict[str, int] = {}  # of cards with fraud since the last snapshot

    @property
    def waiting(self) -> int:
        """Examples without a label so far."""
        return self._join.waiting

    @property
    def frontier(self) -> float:
        """The clock by which silence was last taken for legitimate: event time, seconds."""
        return self._join.frontier

    def take_decision(self, record: ConsumerRecord) -> Lesson | None:
        """A decision becomes an example."""
        try:
            decision = read_decision(record.value)
        except MalformedRecord as malformed:
            self.dead_letters.append((record.partition, dead_letter(record, malformed)))
            return None
        example = _example(decision)
        self._newest_event = max(self._newest_event, example.at)
        self.labels.decided(example.at)
        self.guard.decided(example)
        return self._join.decided(example)

    def take_label(self, record: ConsumerRecord) -> Lesson | None:
        """A label teaches, if it is heard and its example there."""
        return self.labels.take(record)

    def learn(self, lesson: Lesson) -> None:
        """Learn one lesson."""
        example, features = lesson.example, lesson.example.features
        if lesson.corrects and example.at <= self.frontier - self._settings.maturity_days * DAY:
            self._track(lesson)  # it had counted as the opposite when it matured
        is_learnt = self.learner.learn(
            features,
            card=example.card,
            acceptor=example.acceptor,
            at=example.at,
            is_fraud=lesson.is_fraud,
            corrects=lesson.corrects,
        )
        if is_learnt:
            self.guard.learnt(example, features, is_fraud=lesson.is_fraud, corrects=lesson.corrects)
        self._lessons += 1
        self._metrics.learnt(is_fraud=lesson.is_fraud)
        if lesson.is_fraud or lesson.corrects:
            self.card_partitions[example.card] = example.partition

    def newest_event(self) -> float:
        """The clock, to be read before labels are."""
        return self._newest_event

    def mature(self, now: float) -> None:
        """Learn what no report came for: call once labels were read to their end after `now` was taken."""
        for lesson in self._join.advance(now):
            self.learn(lesson)
        for lesson in self._join.ripened():
            self._track(lesson)
            if lesson.example.probability is not None and self._is_settled:
                # Not as they are read: topic by topic, approvals first, they would seem to move.
                self._note(self.drift.scored(lesson.example.probability))
                self._note(*self.drift.labelled(lesson.example.probability, is_fraud=lesson.is_fraud))
        self._metrics.waiting(
            waiting=self._join.waiting, unmatched=self._join.unmatched, newest_label=self.labels.newest
        )

    def _track(self, lesson: Lesson) -> None:
        """What was said of a payment at its time has come to this."""
        probability, amount_minor = lesson.example.probability, lesson.example.amount_minor
        if probability is not None:
            wanted, levels = self._costs.wanted(probability, amount_minor), self._costs.error_levels
            self.learner.model.track_record.take(probability, wanted, levels, is_fraud=lesson.is_fraud)

    @property
    def _is_settled(self) -> bool:
        """Whether the champion's scores may be expected to stay as they are."""
        champion = self.guard.champion
        return champion is not None and champion.labels >= self._settings.drift_after_labels

    def _note(self, *drifts: Drift | None) -> None:
        for drift in drifts:
            if drift is not None:
                log.warning("model_drifts", **asdict(drift))
                self.evidence |= evidence_of(drift, datetime.now(UTC))

    def rebuilt(self, state: Mapping[str, Any]) -> None:
        """The same examples are held again, and nothing else is left of reading their records again."""
        self._newest_event = max(self._newest_event, self.frontier)
        self._join.rebuilt(state["early"])
        self.labels.rebuilt()
        self.dead_letters.clear()  # they were sent then

    def expect(self, state: Mapping[str, Any]) -> None:
        """Take over, before records are read again, what had come before its time."""
        self.labels.expect(state)
        self.guard.expect(state)
        self.order = str(state.get("order", ""))
        try:
            self.drift = DriftWatch.from_plain(state["drift"])
        except (KeyError, TypeError, ValueError) as error:  # of another release: what is usual is learnt anew
            log.warning("drift_forgotten", why=repr(error))
        self._join.expect(state["early"], frontier=float(state["frontier"]))

    def snapshot_due(self) -> bool:
        """Whether enough was learnt, or long enough ago, for a new snapshot; dead letters go out with it."""
        done = self._lessons - self._lessons_at_snapshot + len(self.dead_letters)
        waited = time.monotonic() - self._snapshot_at
        return done >= self._settings.publish_every_labels or (
            bool(done) and waited >= self._settings.publish_interval_seconds
        )

    def snapshot(self) -> Snapshot:
        """The model with the state that belongs to it."""
        self.positions.mark(self._join.arrived)
        self._snapshot_at = time.monotonic()
        self._lessons_at_snapshot = self._lessons
        oldest = self.positions.oldest_needed(self._join.arrived_before)
        return self.learner.model.snapshot(
            label_offsets={
                "next": dict(self.positions.offsets),
                "oldest": oldest,
                "early": self._join.early,
                "frontier": self.frontier,
                **self.labels.state(oldest),
                **self.guard.state(),
                "taught": self._taught + self._lessons,
                "order": self.order,
                "drift": self.drift.to_plain(),
                "drifting": sorted(self.drift.signs),
            }
        )

    def is_taught_enough(self, model: Snapshot) -> bool:
        """Whether it has learnt so much that it may decide."""
        return self._settings.are_enough(labels=model.labels, frauds=model.frauds)

    def go_back(self, model: Snapshot) -> None:
        """Learn on from this model: what was learnt since it was made is given up."""
        self.learner.model = restored(model, self._settings.family)
        self.guard.begin_anew()

    def examine(self, candidate: Snapshot) -> bool:
        """Whether this model may decide instead of the champion.

        If too many in a row may not, the learner goes on from the champion: what it has learnt since is given up.
        """
        may_decide = self.guard.examine(candidate)
        if self.guard.gave_up() and (champion := self.guard.champion) is not None:
            self.learner.model = restored(champion, self._settings.family)
            log.warning("learner_restored", model_version=champion.model_version)
        return may_decide


def evidence_of(drift: Drift, seen_at: datetime) -> dict[str, str]:
    """A sign of drift, for people."""
    if drift.sign is DriftSign.SCORES:
        measured = f"population stability index {drift.after:.2f} over {drift.values} scores"
    else:
        measured = f"{drift.before:.4f} before, {drift.after:.4f} over the latest {drift.values} labels"
    return {drift.sign.value: f"{measured}, seen {seen_at:%Y-%m-%dT%H:%M:%SZ}"}


def _example(decision: Decision) -> Example:
    return Example(
        transaction_id=decision.transaction_id,
        card=decision.pan_token,
        acceptor=decision.terminal_id or decision.merchant_id,
        partition=decision.input.partition,
        at=decision.event_time.timestamp(),
        packed=pack_features(decision.features),
        probability=decision.risk_score,
        silence_tells=decision.outcome is not Outcome.BLOCK,
        amount_minor=decision.amount_minor,
    )
