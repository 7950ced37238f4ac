"""What a drill sees, all of it from topics: every decision with its times, every alert, every change of mode."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Any, NamedTuple

import msgspec

from models.alert import AlertStatus
from rules.decision import FallbackReason
from rules.mode import Mode
from streams.broker.topics import DECISIONS, Topic
from streams.overseeing.observer import Take
from streams.wire.alert import AlertEvent, read_alert
from streams.wire.codec import MalformedRecord
from streams.wire.mode_event import ModeEvent, read_mode_event


class Decided(NamedTuple):
    """A decision; moments in seconds since 1970."""

    arrived: float  # the broker's timestamp of the payment
    at: float  # when it was decided
    fallback_reason: FallbackReason | None
    missed: bool  # its deadline

    @property
    def age_seconds(self) -> float:
        """From the broker's timestamp of the payment to the decision."""
        return self.at - self.arrived


class _Told(msgspec.Struct):
    """Of a decision only what is looked at."""

    fallback_reason: FallbackReason | None
    received_at: datetime
    decided_at: datetime
    deadline_missed: bool


_decoder = msgspec.json.Decoder(_Told)


@dataclass(slots=True)
class Evidence:
    """Takes records in; pure."""

    decisions: list[Decided] = field(default_factory=list)
    alerts: list[AlertEvent] = field(default_factory=list)
    modes: list[ModeEvent] = field(default_factory=list)

    def takes(self) -> dict[Topic, Take]:
        """What to observe."""
        return {
            **dict.fromkeys(DECISIONS.values(), self._decision),
            Topic.ALERTS: self._alert,
            Topic.MODES: self._mode,
        }

    def arrived_between(self, begin: float, end: float) -> Iterator[Decided]:
        """Decisions on payments that the broker took in then."""
        return (each for each in self.decisions if begin <= each.arrived < end)

    def lately_by_model(self, now: float, seconds: float) -> float:
        """The share of the latest decisions for which the model answered; 0 of none."""
        return self._share(lambda each: each.fallback_reason is None, now - seconds)

    def lately_missed(self, now: float, seconds: float) -> float:
        """The share of the latest decisions that were late; 0 of none."""
        return self._share(lambda each: each.missed, now - seconds)

    def open_incidents(self) -> set[str]:
        """Dedup keys of incidents that are not resolved."""
        latest = {each.subject: each.data.status for each in self.alerts if each.data.status is not AlertStatus.SETTLED}
        return {key for key, status in latest.items() if status is not AlertStatus.RESOLVED}

    def latest_modes(self) -> dict[str, Mode]:
        """Of each worker that has changed its mode."""
        return {each.subject: each.data.after for each in self.modes}

    def unsettled(self) -> set[tuple[str, datetime]]:
        """Incidents that are resolved, went at the model's expense, and are not settled yet."""
        over = {
            (each.subject, each.data.started_at)
            for each in self.alerts
            if each.data.status is AlertStatus.RESOLVED
            and each.data.reason in FallbackReason.__members__
            and each.data.count
        }
        return over - {
            (each.subject, each.data.started_at) for each in self.alerts if each.data.status is AlertStatus.SETTLED
        }

    def _share(self, counts: Callable[[Decided], bool], since: float) -> float:
        latest = [counts(each) for each in takewhile(lambda each: each.at >= since, reversed(self.decisions))]
        return sum(latest) / len(latest) if latest else 0.0

    def _decision(self, record: Any, _at: float) -> None:
        try:
            told = _decoder.decode(record.value or b"")
        except msgspec.DecodeError:
            return
        self.decisions.append(
            Decided(
                told.received_at.timestamp(),
                told.decided_at.timestamp(),
                told.fallback_reason,
                told.deadline_missed,
            )
        )

    def _alert(self, record: Any, _at: float) -> None:
        try:
            self.alerts.append(read_alert(record.value))
        except MalformedRecord:
            return

    def _mode(self, record: Any, _at: float) -> None:
        try:
            self.modes.append(read_mode_event(record.value))
        except MalformedRecord:
            return
