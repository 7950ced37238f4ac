"""An installation looked after from its topics on a real Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from msgspec import structs
from support.outside import PATIENCE_SECONDS, Outside, outside_of
from support.wire_samples import a_decision, an_alert_event

from rules.decision import InputPosition
from rules.mode import Mode
from streams.broker.topics import DECISIONS, Topic
from streams.overseeing.cluster import KafkaCluster
from streams.overseeing.following import follow
from streams.overseeing.live import Live
from streams.overseeing.story import Search
from streams.wire.alert import write_alert
from streams.wire.codec import write_decision
from streams.wire.heartbeat import Heartbeat, write_heartbeat

pytestmark = pytest.mark.kafka


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as there:
        yield there


@asynccontextmanager
async def followed(outside: Outside) -> AsyncIterator[Live]:
    live = Live()
    following = asyncio.create_task(follow(outside.settings, live))
    try:
        yield live
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_what_comes_on_the_topics_is_seen(outside: Outside) -> None:
    now = datetime.now(UTC)
    beat = Heartbeat(instance="worker-1", at=now, started_at=now, mode=Mode.NORMAL)
    outside.send(write_heartbeat(beat), key=b"worker-1", topic=Topic.HEARTBEATS)
    outside.send(write_alert(an_alert_event()), key=b"k", topic=Topic.ALERTS)
    outside.pay()
    async with followed(outside) as live, asyncio.timeout(PATIENCE_SECONDS):
        while live.lag != 1 or not live.view(datetime.now(UTC)).incidents:
            await asyncio.sleep(0.1)
        assert [each.instance for each in live.view(datetime.now(UTC)).workers] == ["worker-1"]
        while not live.view(datetime.now(UTC)).per_second:  # only what comes from now on counts
            decision = structs.replace(a_decision(), decided_at=datetime.now(UTC))
            outside.send(write_decision(decision), key=b"tok", topic=DECISIONS[decision.outcome])
            outside.flush()
            await asyncio.sleep(0.5)


async def test_one_payment_is_found_among_all_partitions(outside: Outside) -> None:
    waiting = outside.pay()
    decided = outside.pay()
    lay = InputPosition(topic=outside.name(Topic.TRANSACTIONS), partition=0, offset=0)
    for number in range(3):
        decision = structs.replace(a_decision(), transaction_id=decided if number == 2 else f"t-{number}", input=lay)
        outside.send(write_decision(decision), key=b"tok", topic=Topic.REVIEW, partition=number % 2)
    outside.flush()
    async with KafkaCluster(outside.settings).reading() as consumer:
        story = await Search(consumer, outside.settings, decided).run(time.time())
        assert story.decision is not None
        assert story.decision.transaction_id == decided
        story = await Search(consumer, outside.settings, waiting).run(time.time())
        assert story.input is not None
        assert (story.decision, story.whole) == (None, True)
