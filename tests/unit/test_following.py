"""The audit that follows: what it says while it is slow, blind or short of room."""

from contextlib import suppress
from dataclasses import dataclass

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from msgspec import structs
from support.in_memory_topics import InMemoryTopics
from support.records import consumed
from support.stopped_clock import StoppedClock
from support.wire_samples import a_decision, transaction_bytes

from models.canary import CANARY_TOKEN
from rules.decision import InputPosition
from streams.auditing.following import ENDINGS, Beginning, Follower, TopicRewound
from streams.auditing.horizon import SKEW_SECONDS
from streams.auditing.live_ledger import LEAST_SHARE
from streams.broker.reading import partitions_of
from streams.broker.topics import Topic
from streams.settings import AuditSettings, Settings, TopicSettings
from streams.wire.codec import write_decision

GRACE = 30.0
SETTINGS = Settings(topics=TopicSettings(partitions=1), audit=AuditSettings(grace_seconds=GRACE, most_outstanding=1))
INPUT = TopicPartition(Topic.TRANSACTIONS, 0)
REVIEW = TopicPartition(Topic.REVIEW, 0)
CONTRADICTIONS = "holdfast_audit_contradictions_total"


@dataclass
class Audited:
    """A follower, its topics and its time."""

    topics: InMemoryTopics
    clock: StoppedClock
    follower: Follower

    def pay(self, name: str) -> InputPosition:
        value = transaction_bytes(transaction_id=name, pan_token="tok_1", event_time="2026-01-01T00:00:00Z")
        offset = self._append(INPUT, value)
        return InputPosition(topic=INPUT.topic, partition=0, offset=offset)

    def decide(self, name: str, place: InputPosition) -> None:
        self._append(REVIEW, write_decision(structs.replace(a_decision(), transaction_id=name, input=place)))

    def _append(self, to: TopicPartition, value: bytes, *, key: bytes = b"tok_1") -> int:
        offset = self.topics.end(to)
        record = consumed(value, key=key, topic=to.topic, offset=offset, at=self.clock.now)
        self.topics.logs[to].append(record)
        return offset

    def canary(self) -> None:
        value = transaction_bytes(transaction_id="canary", pan_token=CANARY_TOKEN, event_time="2026-01-01T00:00:00Z")
        self._append(INPUT, value, key=CANARY_TOKEN.encode())

    async def look(self) -> None:
        """As long as it takes to know all that can be known."""
        for _ in range(3):
            await self.follower.read(self.topics)
            with suppress(KafkaConnectionError):
                await self.follower.conclude(self.topics)

    def says(self, name: str) -> float | None:
        return self.follower.metrics.registry.get_sample_value(f"holdfast_{name}")

    @property
    def unaccounted(self) -> float | None:
        return self.says("unaccounted_transactions")

    @property
    def lag(self) -> float | None:
        return self.says("audit_lag_seconds")


@pytest.fixture
def audited() -> Audited:
    clock, topics = StoppedClock(), InMemoryTopics()
    places = dict.fromkeys(partitions_of(SETTINGS, [Topic.TRANSACTIONS, *ENDINGS]), 0)
    start = Beginning(at=clock.now - 600, places=places, counted_from={0: 0})
    topics.assign(places)
    return Audited(topics, clock, Follower(SETTINGS, start, clock=clock))


async def test_before_anything_is_known_it_says_neither_zero_nor_that_it_is_up_to_date(audited: Audited) -> None:
    assert str(audited.unaccounted) == "nan"
    assert audited.lag == 600
    await audited.look()
    assert (audited.unaccounted, audited.lag) == (0, 0)


async def test_while_one_topic_cannot_be_read_from_the_start_it_does_not_say_zero(audited: Audited) -> None:
    audited.topics.slow = {REVIEW}
    audited.decide("a", audited.pay("a"))
    audited.clock.pass_(10 * GRACE)
    await audited.look()
    assert str(audited.unaccounted) == "nan"
    assert audited.lag == 600 + 10 * GRACE


async def test_what_nobody_decides_is_unaccounted_and_no_more_once_it_is_decided(audited: Audited) -> None:
    place = audited.pay("a")
    audited.clock.pass_(GRACE)
    await audited.look()
    assert audited.unaccounted == 1
    audited.decide("a", place)
    await audited.look()
    assert audited.unaccounted == 0


async def test_a_canary_is_no_transaction(audited: Audited) -> None:
    audited.canary()
    place = audited.pay("t-1")
    audited.canary()
    audited.decide("t-1", place)
    await audited.look()
    audited.clock.pass_(GRACE + 1)
    await audited.look()
    assert audited.unaccounted == 0
    assert audited.says("outstanding_transactions") == 0


async def test_a_decision_that_it_has_not_read_yet_is_no_loss(audited: Audited) -> None:
    await audited.look()
    audited.topics.slow = {REVIEW}
    audited.decide("a", audited.pay("a"))
    audited.clock.pass_(10 * GRACE)
    await audited.look()
    assert (audited.unaccounted, audited.lag) == (0, 10 * GRACE)
    audited.topics.slow = set()
    await audited.look()
    assert (audited.unaccounted, audited.lag) == (0, 0)


async def test_while_the_broker_is_away_the_last_answer_stands_and_gets_older(audited: Audited) -> None:
    audited.pay("a")
    audited.clock.pass_(GRACE)
    await audited.look()
    audited.topics.away = True
    audited.clock.pass_(100)
    await audited.look()
    assert (audited.unaccounted, audited.lag) == (1, 100)


async def test_far_behind_it_speaks_of_the_time_that_it_has_read(audited: Audited) -> None:
    audited.pay("lost")
    audited.clock.pass_(10 * GRACE)
    for number in range(5000):
        audited.decide(f"t{number}", audited.pay(f"t{number}"))
    audited.clock.pass_(50 * GRACE)
    for _ in range(2):
        await audited.follower.read(audited.topics)
        await audited.follower.conclude(audited.topics)
    assert (audited.unaccounted, audited.lag) == (1, 50 * GRACE + SKEW_SECONDS)
    for _ in range(10):
        await audited.look()
    assert (audited.unaccounted, audited.lag) == (1, 0)


async def test_what_there_is_no_room_for_is_not_read_and_the_lag_says_so(audited: Audited) -> None:
    for number in range(5 * LEAST_SHARE):
        audited.pay(f"t{number}")
    audited.clock.pass_(10 * GRACE)
    for _ in range(5):
        await audited.look()
    outstanding = audited.says("outstanding_transactions")
    assert audited.unaccounted == outstanding
    assert outstanding is not None
    assert LEAST_SHARE <= outstanding < 5 * LEAST_SHARE
    assert audited.lag is not None
    assert audited.lag > 10 * GRACE
    for offset in range(5 * LEAST_SHARE):
        audited.decide(f"t{offset}", InputPosition(topic=INPUT.topic, partition=0, offset=offset))
    for _ in range(20):
        await audited.look()
    assert (audited.unaccounted, audited.lag) == (0, 0)


async def test_endings_wait_for_their_transactions_to_be_read(audited: Audited) -> None:
    audited.topics.slow = {INPUT}
    for number in range(LEAST_SHARE):
        audited.decide(f"t{number}", audited.pay(f"t{number}"))
    await audited.look()
    assert REVIEW in audited.topics.paused()
    audited.topics.slow = set()
    for _ in range(3):
        await audited.look()
    assert audited.topics.paused() == set()
    assert (audited.unaccounted, audited.says("outstanding_transactions")) == (0, 0)


async def test_records_deleted_unread_are_counted_and_reading_goes_on_behind_them(audited: Audited) -> None:
    for number in range(10):
        audited.pay(f"t{number}")
    audited.topics.firsts[INPUT] = 7
    audited.decide("t3", InputPosition(topic=INPUT.topic, partition=0, offset=3))
    audited.clock.pass_(GRACE)
    await audited.look()
    await audited.look()
    assert (audited.unaccounted, audited.says("audit_skipped_records_total")) == (3, 7)
    again = audited.follower.metrics.registry.get_sample_value(CONTRADICTIONS, {"kind": "ended_again"})
    assert again == 0


async def test_a_topic_that_was_made_anew_ends_it(audited: Audited) -> None:
    for number in range(10):
        audited.pay(f"t{number}")
    await audited.look()
    audited.topics.firsts[INPUT] = 5
    audited.topics.seek(INPUT, 3)  # as if what it read had never been
    with pytest.raises(TopicRewound):
        await audited.look()


async def test_both_contradictions_and_endings_are_counted_by_kind(audited: Audited) -> None:
    place = audited.pay("a")
    for _ in range(3):
        audited.decide("a", place)
    await audited.look()
    value = audited.follower.metrics.registry.get_sample_value
    assert value(CONTRADICTIONS, {"kind": "ended_again"}) == 2
    assert value("holdfast_accounted_transactions_total", {"ending": "decision"}) == 1
