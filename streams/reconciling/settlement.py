"""Which incidents are settled: all that was decided without the model until their end has been scored again. Pure.

An incident that is over stays unsettled until every decision partition is done with up to where it ended when the end
of the incident was read. What was decided because of it lies before: decisions are committed before they are told of.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar

from models.alert import Alert, AlertStatus
from rules.decision import FallbackReason

Partition = TypeVar("Partition", bound=Hashable)


@dataclass(slots=True)
class Settlement(Generic[Partition]):
    """Hears every alert, in their order."""

    _over: dict[tuple[str, datetime], Alert] = field(default_factory=dict)  # by dedup key and beginning
    _until: dict[tuple[str, datetime], Mapping[Partition, int]] = field(default_factory=dict)

    @property
    def asks(self) -> bool:
        """Whether it must be told where the decision partitions end now."""
        return len(self._until) < len(self._over)

    def heard(self, alert: Alert) -> None:
        """An alert: the end of an incident for which payments went without the model, or that it is settled."""
        incident = alert.dedup_key, alert.started_at
        if alert.status is AlertStatus.RESOLVED and alert.reason in FallbackReason.__members__ and alert.count:
            self._over[incident] = alert
        elif alert.status is AlertStatus.SETTLED:
            self._over.pop(incident, None)
            self._until.pop(incident, None)

    def told(self, ends: Mapping[Partition, int]) -> None:
        """Where the decision partitions end, asked after what was heard."""
        for incident in self._over:
            self._until.setdefault(incident, ends)

    def settled(self, done: Mapping[Partition, int], now: datetime) -> list[Alert]:
        """Incidents that are settled, each once; `done` is up to where each partition is done with."""
        ready = [
            incident
            for incident, ends in self._until.items()
            if all(done[partition] >= end for partition, end in ends.items())
        ]
        for incident in ready:
            del self._until[incident]
        return [replace(self._over.pop(each), status=AlertStatus.SETTLED, settled_at=now) for each in ready]
