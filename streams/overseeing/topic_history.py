"""What decisions said and what labels said of the same payments, joined from the topics. Learns nothing again."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from models.daily import SECONDS_PER_DAY
from models.label_trust import LabelTrust, Testimony
from rules.appraisal import Judged, NothingToAppraise
from rules.decision import Outcome
from streams.settings import Settings
from streams.wire.codec import MalformedRecord, read_label

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer


class _Told(msgspec.Struct, gc=False):
    """Of a decision only what is looked at."""

    transaction_id: str
    pan_token: str
    outcome: Outcome
    risk_score: float | None
    event_time: datetime
    amount_minor: int
    currency: str
    propensity: float | None = None


_decoder = msgspec.json.Decoder(_Told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Of how many decisions it is known what the payments were."""

    decisions: int
    judged: int
    too_young: int  # labels may still come: only their frauds would be known by now
    blocked_unknown: int  # what is blocked has no outcome, unless somebody says
    explored: int  # blocks that were let through, of those judged
    explored_good: int  # of which so many were good: what that share of like blocks would be


@dataclass(slots=True)
class TopicHistory:
    """Takes decisions and labels in, in any order; pure."""

    trust: LabelTrust = field(default_factory=LabelTrust)
    unreadable: int = 0
    _decisions: dict[str, _Told] = field(default_factory=dict)
    _said: dict[str, Testimony] = field(default_factory=dict)

    def take_decision(self, value: bytes | None) -> None:
        """A record of a decision topic; of a payment decided twice the first counts."""
        try:
            told = _decoder.decode(value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.unreadable += 1
        else:
            self._decisions.setdefault(told.transaction_id, told)

    def take_label(self, value: bytes | None) -> None:
        """A record of `labels`."""
        try:
            label = read_label(value)
        except MalformedRecord:
            self.unreadable += 1
        else:
            self._said.setdefault(label.transaction_id, Testimony()).take(label.source, label.state, self.trust)

    def judged(self, *, maturity_seconds: float) -> tuple[Judged, float, Coverage]:
        """Payments old enough that labels have come, with midnight UTC of day 0 in seconds since 1970.

        Silence is legitimate by then, but not about a block. Raises NothingToAppraise.
        """
        if not self._decisions:
            raise NothingToAppraise("there are no decisions")
        until = max(each.event_time.timestamp() for each in self._decisions.values()) - maturity_seconds
        told = sorted(
            (each for each in self._decisions.values() if each.event_time.timestamp() <= until),
            key=lambda each: each.event_time,
        )
        known = [(each, is_fraud) for each in told if (is_fraud := self._is_fraud(each)) is not None]
        if not known:
            raise NothingToAppraise("of no decision is it known what the payment was: labels may still come")
        columns = _columns(known)
        explored = [is_fraud for each, is_fraud in known if each.propensity and each.outcome is not Outcome.BLOCK]
        begin = float(columns.seconds[0] // SECONDS_PER_DAY * SECONDS_PER_DAY)
        columns.seconds[:] -= begin
        coverage = Coverage(
            decisions=len(self._decisions),
            judged=len(known),
            too_young=len(self._decisions) - len(told),
            blocked_unknown=len(told) - len(known),
            explored=len(explored),
            explored_good=len(explored) - sum(explored),
        )
        return columns, begin, coverage

    def _is_fraud(self, told: _Told) -> bool | None:
        said = self._said.get(told.transaction_id)
        if said is not None and said.is_fraud is not None:
            return said.is_fraud
        return None if told.outcome is Outcome.BLOCK else False


def _columns(known: list[tuple[_Told, bool]]) -> Judged:
    told = [each for each, _ in known]
    return Judged(
        seconds=np.array([each.event_time.timestamp() for each in told]),
        card=np.array([each.pan_token for each in told]),
        is_fraud=np.array([is_fraud for _, is_fraud in known]),
        probability=np.array([np.nan if each.risk_score is None else each.risk_score for each in told]),
        amount_minor=np.array([each.amount_minor for each in told]),
        currency=np.array([each.currency for each in told]),
        outcome=np.array([each.outcome.value for each in told]),
    )


async def read_topics(settings: Settings, *, since: float | None = None) -> TopicHistory:
    """All decisions and labels from `since` on (seconds since 1970, by the broker's time).

    Raises TopicsWrong and what aiokafka raises.
    """
    from streams.broker.clients import reader
    from streams.broker.topic_admin import require_topics

    await require_topics(settings)
    async with reader(settings.broker) as consumer:
        return await taken_in(consumer, settings, since=since)


async def taken_in(consumer: "AIOKafkaConsumer", settings: Settings, *, since: float | None = None) -> TopicHistory:
    """The same by a consumer that is there. Labels after decisions: none is read without its decision."""
    from streams.broker.reading import partitions_of, places_at, stretch
    from streams.broker.topics import DECISIONS, Topic

    history = TopicHistory(settings.labels)
    for topics, take in ((tuple(DECISIONS.values()), history.take_decision), ((Topic.LABELS,), history.take_label)):
        partitions = partitions_of(settings, topics)
        starts = await places_at(consumer, partitions, since)
        async for records in stretch(consumer, starts, await consumer.end_offsets(partitions)):
            for record in records:
                take(record.value)
    return history
