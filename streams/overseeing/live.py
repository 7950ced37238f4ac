"""How an installation does now, gathered from its topics second by second. Pure; the clock is passed in."""

from array import array
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from models.alert import Alert, AlertStatus
from rules.decision import DecisionSource, FallbackReason, Outcome
from streams.overseeing.tally import percentile
from streams.wire.alert import read_alert
from streams.wire.codec import MalformedRecord
from streams.wire.heartbeat import Heartbeat, read_heartbeat

RECENT_SECONDS = 10  # what figures are of
CHART_SECONDS = 120
HIT_MINUTES = 60
MOST_INCIDENTS = 200


class _Told(msgspec.Struct, gc=False):
    """Of a decision only what is counted."""

    outcome: Outcome
    decision_source: DecisionSource
    fallback_reason: FallbackReason | None
    rule_hits: tuple[str, ...]
    age_ms: int


_decision = msgspec.json.Decoder(_Told)


@dataclass(slots=True)
class _Second:
    number: int  # seconds since 1970
    made: "Counter[tuple[Outcome, DecisionSource]]" = field(default_factory=Counter)
    fallbacks: "Counter[FallbackReason]" = field(default_factory=Counter)
    ages_ms: "array[int]" = field(default_factory=lambda: array("q"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveView:
    """What there is to see at one moment; rates are of the last RECENT_SECONDS, ages in milliseconds."""

    at: datetime
    per_second: float
    made: Mapping[tuple[Outcome, DecisionSource], float]  # a second
    age_p50: float | None
    age_p99: float | None
    fallback_share: float | None
    fallbacks: Mapping[FallbackReason, float]  # a second
    lag: int | None  # transactions that no worker has read yet; None: not known
    seconds: tuple[Mapping[Outcome, int], ...]  # decisions in each of the last CHART_SECONDS, the latest last
    workers: tuple[Heartbeat, ...]
    others: tuple[Heartbeat, ...]
    incidents: tuple[Alert, ...]  # the latest first

    @property
    def open_incidents(self) -> tuple[Alert, ...]:
        """Those that are not over."""
        return tuple(each for each in self.incidents if each.status in (AlertStatus.OPEN, AlertStatus.UPDATE))


class Live:
    """Filled from decisions, alerts, heartbeats and the lag; what cannot be read is left out: the audit reports it."""

    def __init__(self) -> None:
        self.lag: int | None = None
        self._seconds: deque[_Second] = deque(maxlen=CHART_SECONDS + 1)
        self._hits: deque[tuple[int, Counter[str]]] = deque(maxlen=HIT_MINUTES)
        self._beats: dict[bytes, Heartbeat] = {}
        self._incidents: dict[tuple[str, datetime], Alert] = {}

    def take_decision(self, value: bytes | None, now: float) -> None:
        """A record of a decision topic that came at `now` (seconds since 1970)."""
        try:
            told = _decision.decode(value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        second = self._second(int(now))
        second.made[told.outcome, told.decision_source] += 1
        second.ages_ms.append(max(told.age_ms, 0))
        if told.fallback_reason is not None:
            second.fallbacks[told.fallback_reason] += 1
        self._minute(int(now) // 60).update(told.rule_hits)

    def take_alert(self, value: bytes | None) -> None:
        """A record of `alerts`; moments that an earlier one told of the same incident stay known."""
        try:
            alert = read_alert(value).data
        except MalformedRecord:
            return
        key = (alert.dedup_key, alert.started_at)
        before = self._incidents.pop(key, alert)
        self._incidents[key] = replace(
            alert,
            contained_at=alert.contained_at or before.contained_at,
            restored_at=alert.restored_at or before.restored_at,
            settled_at=alert.settled_at or before.settled_at,
        )
        if len(self._incidents) > MOST_INCIDENTS:
            del self._incidents[next(iter(self._incidents))]

    def take_heartbeat(self, key: bytes | None, value: bytes | None) -> None:
        """A record of `heartbeats`; a tombstone is a clean end."""
        if value is None:
            self._beats.pop(key or b"", None)
            return
        try:
            self._beats[key or b""] = read_heartbeat(value)
        except MalformedRecord:
            return

    def view(self, now: datetime) -> LiveView:
        """What there is to see."""
        this = int(now.timestamp())
        recent = [each for each in self._seconds if this - RECENT_SECONDS <= each.number < this]
        made = sum((each.made for each in recent), Counter[tuple[Outcome, DecisionSource]]())
        fallbacks = sum((each.fallbacks for each in recent), Counter[FallbackReason]())
        ages = sorted(age for each in recent for age in each.ages_ms)
        by_second = {each.number: each for each in self._seconds}
        beats = sorted(self._beats.values(), key=lambda each: each.instance)
        return LiveView(
            at=now,
            per_second=made.total() / RECENT_SECONDS,
            made={kind: count / RECENT_SECONDS for kind, count in made.items()},
            age_p50=percentile(ages, 0.5),
            age_p99=percentile(ages, 0.99),
            fallback_share=fallbacks.total() / made.total() if made else None,
            fallbacks={why: count / RECENT_SECONDS for why, count in fallbacks.most_common()},
            lag=self.lag,
            seconds=tuple(_by_outcome(by_second.get(this - back)) for back in range(CHART_SECONDS, 0, -1)),
            workers=tuple(each for each in beats if each.mode is not None),
            others=tuple(each for each in beats if each.mode is None),
            incidents=tuple(sorted(self._incidents.values(), key=lambda each: each.started_at, reverse=True)),
        )

    def rule_hits(self, now: datetime) -> Counter[str]:
        """How often each rule hit in the last HIT_MINUTES, as far as was followed."""
        first = int(now.timestamp()) // 60 - HIT_MINUTES
        return sum((hits for minute, hits in self._hits if minute > first), Counter())

    def _second(self, number: int) -> _Second:
        if not self._seconds or self._seconds[-1].number < number:
            self._seconds.append(_Second(number))
        return self._seconds[-1]

    def _minute(self, number: int) -> Counter[str]:
        if not self._hits or self._hits[-1][0] < number:
            self._hits.append((number, Counter()))
        return self._hits[-1][1]


def _by_outcome(second: _Second | None) -> Counter[Outcome]:
    counts: Counter[Outcome] = Counter()
    if second is not None:
        for (outcome, _), count in second.made.items():
            counts[outcome] += count
    return counts
