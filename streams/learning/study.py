"""The learner's work on records already read: examples, lessons, and the state that a snapshot must carry."""

import time
from collections.abc import Mapping
from typing import Any

from aiokafka import ConsumerRecord

from models.examples import Example, LabelJoin, Lesson, pack_features
from models.learner import Learner
from models.snapshot import Snapshot
from rules.decision import Decision
from streams.learning.positions import Positions
from streams.metrics import LearnerMetrics
from streams.settings import LearnerSettings
from streams.wire.codec import MalformedRecord, read_decision, read_label
from streams.wire.dead_letter import DeadLetter, dead_letter

DAY = 86_400.0


class Study:
    """Takes records in, learns what they teach, and says when a snapshot is due.

    The clock of labels is event time: the newest event time of all decisions read, and only once both decisions and
    labels were read to their end, so that nothing matures while its report lies unread.
    """

    def __init__(self, settings: LearnerSettings, learner: Learner, metrics: LearnerMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._join = LabelJoin(
            maturity_seconds=settings.maturity_days * DAY,
            keep_seconds=settings.keep_days * DAY,
            limit=settings.most_examples,
        )
        self._newest_event = 0.0
        self._newest_label = 0.0
        self._snapshot_at = time.monotonic()
        self._lessons_at_snapshot = 0
        self._lessons = 0
        self.learner = learner
        self.positions = Positions()
        self.dead_letters: list[tuple[int, DeadLetter]] = []  # with the partition they go to
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
        self._newest_event = max(self._newest_event, decision.event_time.timestamp())
        return self._join.decided(_example(decision))

    def take_label(self, record: ConsumerRecord) -> Lesson | None:
        """A label teaches, if its example is there."""
        try:
            label = read_label(record.value)
        except MalformedRecord as malformed:
            self.dead_letters.append((record.partition, dead_letter(record, malformed)))
            return None
        self._metrics.label(label.source, label.state)
        self._newest_label = max(self._newest_label, label.received_at.timestamp())
        return self._join.labelled(label)

    def learn(self, lesson: Lesson) -> None:
        """Learn one lesson."""
        example = lesson.example
        self.learner.learn(
            example.features,
            card=example.card,
            acceptor=example.acceptor,
            at=example.at,
            is_fraud=lesson.is_fraud,
            corrects=lesson.corrects,
        )
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
        self._metrics.waiting(
            waiting=self._join.waiting, unmatched=self._join.unmatched, newest_label=self._newest_label
        )

    def rebuilt(self, state: Mapping[str, Any]) -> None:
        """The same examples are held again, and nothing else is left of reading their records again."""
        self._newest_event = max(self._newest_event, self.frontier)
        self._join.rebuilt(state["early"])
        self.dead_letters.clear()  # they were sent then

    def expect(self, state: Mapping[str, Any]) -> None:
        """Take over, before records are read again, what had come before its time."""
        self._join.expect(state["early"], frontier=float(state["frontier"]))

    def snapshot_due(self) -> bool:
        """Whether enough was learnt, or long enough ago, for a new snapshot; dead letters go out with it."""
        learnt = self._lessons - self._lessons_at_snapshot
        waited = time.monotonic() - self._snapshot_at
        return learnt >= self._settings.publish_every_labels or (
            bool(learnt or self.dead_letters) and waited >= self._settings.publish_interval_seconds
        )

    def snapshot(self) -> Snapshot:
        """The model with the state that belongs to it."""
        self.positions.mark(self._join.arrived)
        self._snapshot_at = time.monotonic()
        self._lessons_at_snapshot = self._lessons
        return self.learner.model.snapshot(
            label_offsets={
                "next": dict(self.positions.offsets),
                "oldest": self.positions.oldest_needed(self._join.arrived_before),
                "early": self._join.early,
                "frontier": self.frontier,
            }
        )


def _example(decision: Decision) -> Example:
    return Example(
        transaction_id=decision.transaction_id,
        card=decision.pan_token,
        acceptor=decision.terminal_id or decision.merchant_id,
        partition=decision.input.partition,
        at=decision.event_time.timestamp(),
        packed=pack_features(decision.features),
    )
