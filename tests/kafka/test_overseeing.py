"""An installation looked after from its topics on a real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from msgspec import structs
from support.outside import PATIENCE_SECONDS, Outside, outside_of
from support.wire_samples import a_decision, an_alert_event

from rules.mode import Mode
from streams.broker.topics import DECISIONS, Topic
from streams.overseeing.following import follow
from streams.overseeing.live import Live
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
