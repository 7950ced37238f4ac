"""What the demo has seen so far, all of it from topics."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.alert import AlertStatus
from streams.broker.topics import Topic
from streams.overseeing.observer import Take, decisions_to
from streams.overseeing.tally import Recent, Seen, Tally
from streams.wire.alert import AlertEvent, read_alert
from streams.wire.codec import MalformedRecord
from streams.wire.snapshot_record import CHAMPION, SnapshotUnreadable, read_snapshot

RECENT_SECONDS = 2.0
SCORER = "scorer"  # the component whose failure the demo brings about
LATEST_ALERTS = 6


@dataclass(slots=True, kw_only=True)
class Incident:
    """An incident as the alert topic tells it."""

    dedup_key: str
    component: str
    reason: str
    opened_at: datetime
    resolved_at: datetime | None = None
    settled_at: datetime | None = None
    count: int = 0  # transactions concerned

    def take(self, event: AlertEvent) -> None:
        """A later word on it."""
        self.count = event.data.count
        if event.data.status is AlertStatus.RESOLVED:
            self.resolved_at = event.time
        elif event.data.status is AlertStatus.SETTLED:
            self.settled_at = event.time


class Facts:
    """Takes records in; answers what the story and the summary ask."""

    def __init__(self) -> None:
        self.recent = Recent(RECENT_SECONDS)
        self.tally = Tally()
        self.transactions = 0
        self.dead_letters = 0
        self.incidents: list[Incident] = []
        self.latest_alerts: deque[AlertEvent] = deque(maxlen=LATEST_ALERTS)
        self.model_version: str | None = None
        self.labels_learnt = 0
        self.frauds_learnt = 0
        self.models_published = 0

    def takes(self) -> dict[Topic, Take]:
        """What to observe."""
        return {
            Topic.TRANSACTIONS: self._transaction,
            Topic.DEAD_LETTERS: self._dead_letter,
            Topic.MODELS: self._model,
            Topic.ALERTS: self._alert,
            **decisions_to(self._decision),
        }

    @property
    def scorer_is_well(self) -> bool:
        """Whether no incident of a scorer is open."""
        return all(each.resolved_at for each in self.incidents if each.component == SCORER)

    def scorer_incidents(self, begins: float, ends: float) -> list[Incident]:
        """Those that opened between two moments, in seconds since 1970."""
        of_scorers = (each for each in self.incidents if each.component == SCORER)
        return [each for each in of_scorers if begins <= each.opened_at.timestamp() < ends]

    def _decision(self, seen: Seen) -> None:
        self.recent.add(seen)
        self.tally.add(seen)

    def _transaction(self, _record: Any, _at: float) -> None:
        self.transactions += 1

    def _dead_letter(self, _record: Any, _at: float) -> None:
        self.dead_letters += 1

    def _model(self, record: Any, _at: float) -> None:
        if record.key != CHAMPION or record.value is None:
            return
        try:
            snapshot = read_snapshot(record.value).snapshot
        except SnapshotUnreadable:
            return
        self.models_published += 1
        self.model_version = str(snapshot["model_version"])
        self.labels_learnt, self.frauds_learnt = int(snapshot["labels"]), int(snapshot["frauds"])

    def _alert(self, record: Any, _at: float) -> None:
        try:
            event = read_alert(record.value)
        except MalformedRecord:
            return
        self.latest_alerts.append(event)
        alert = event.data
        if alert.status is AlertStatus.OPEN:
            self.incidents.append(
                Incident(
                    dedup_key=alert.dedup_key,
                    component=alert.component,
                    reason=alert.reason,
                    opened_at=alert.started_at,
                )
            )
        for incident in reversed(self.incidents):
            if incident.dedup_key == alert.dedup_key and incident.opened_at == alert.started_at:
                incident.take(event)
                break
