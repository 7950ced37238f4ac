"""Labels as they are read: heard and joined to their payments, or set aside for people, with the reason."""

from collections.abc import Mapping
from typing import Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from models.dead_letter import DeadLetterReason
from models.examples import Contradiction, LabelJoin, Lesson
from models.label import Label
from models.label_limits import LabelLimits, Offsets, Silence
from models.label_trust import LabelTrust
from streams.broker.reading import place
from streams.learning.positions import Positions
from streams.metrics.learner import LearnerMetrics
from streams.wire.codec import MalformedRecord, read_label
from streams.wire.dead_letter import DeadLetter, dead_letter

log = structlog.get_logger()

SetAside = list[tuple[int, DeadLetter]]  # with the partition they go to


class LabelIntake:
    """Believes sources as far as they are trusted, and hears none that says more than can be."""

    def __init__(
        self, trust: LabelTrust, join: LabelJoin, positions: Positions, set_aside: SetAside, metrics: LearnerMetrics
    ) -> None:
        self._trust = trust
        self._join = join
        self._positions = positions
        self._set_aside = set_aside
        self._metrics = metrics
        self._limits = LabelLimits(trust)
        self._again = False  # records are read that were read before
        self.newest = 0.0  # when the newest label was received, by whoever sent it; seconds since 1970
        self.newest_at = 0.0  # and when it came, by the broker's clock

    @property
    def silenced(self) -> list[Silence]:
        """Sources that are not heard now."""
        return self._limits.silenced

    def overrun(self) -> Silence | None:
        """A source that was silenced since the last call."""
        return self._limits.overrun()

    def decided(self, at: float) -> None:
        """A payment was decided, at event time in seconds."""
        if not self._again:
            self._limits.decided(at)

    def take(self, record: ConsumerRecord) -> Lesson | None:
        """What a label teaches, if it is heard and its payment known."""
        try:
            label = read_label(record.value)
        except MalformedRecord as malformed:
            self._put_aside(record, malformed)
            return None
        self._metrics.label(label.source, label.state)
        self.newest_at = max(self.newest_at, record.timestamp / 1000)
        self.newest = max(self.newest, label.received_at.timestamp())
        if not self._hears(label, record):
            self._join.unheard(label.transaction_id)
            self._refuse(record, label, DeadLetterReason.LABEL_SOURCE_SILENCED, f"source: {label.source} says too much")
            return None
        taken = self._join.labelled(label)
        if isinstance(taken, Contradiction):
            said = ", ".join(f"{each} {'fraud' if fraud else 'legitimate'}" for each, fraud in taken.said.items())
            self._refuse(record, label, DeadLetterReason.LABEL_CONTRADICTED, f"state: {said}")
            return None
        return taken

    def expect(self, state: Mapping[str, Any]) -> None:
        """Take over, before records are read again, which of them were heard."""
        self._again = True
        self.newest_at = float(state.get("labelled_at", 0.0))
        try:
            self._limits = LabelLimits.from_plain(self._trust, state["limits"])
        except (KeyError, TypeError, ValueError) as error:  # of another release
            log.warning("label_limits_forgotten", why=repr(error))

    def rebuilt(self) -> None:
        """All was read again; what comes is new."""
        self._again = False

    def state(self, oldest: Offsets) -> dict[str, Any]:
        """What to take over, for a snapshot; no record below these offsets is read again."""
        self._limits.forget(oldest)
        return {"labelled_at": self.newest_at, "limits": self._limits.to_plain()}

    def _hears(self, label: Label, record: ConsumerRecord) -> bool:
        acceptor = self._join.acceptor(label.transaction_id)
        where = place(TopicPartition(record.topic, record.partition))
        if self._again:
            return self._limits.heard(label, acceptor, where, record.offset)
        return self._limits.hears(label, acceptor, where, record.offset, lambda: self._heads(record.topic))

    def _heads(self, topic: str) -> Offsets:
        return {each: next_ for each, next_ in self._positions.offsets.items() if each.startswith(f"{topic}:")}

    def _refuse(self, record: ConsumerRecord, label: Label, reason: DeadLetterReason, why: str) -> None:
        self._metrics.label_refused(label.source, reason)
        self._put_aside(record, MalformedRecord(reason, why))

    def _put_aside(self, record: ConsumerRecord, refusal: MalformedRecord) -> None:
        self._set_aside.append((record.partition, dead_letter(record, refusal)))
