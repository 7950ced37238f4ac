"""What a worker reads before it decides: the latest of each key at once, and each record that comes after."""

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka import TopicPartition
from support.outside import PATIENCE_SECONDS, Outside, outside_of

from streams.broker.follower import Follower
from streams.broker.topics import Topic

pytestmark = pytest.mark.kafka


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as there:
        yield there


def tell(outside: Outside, *records: tuple[bytes, bytes | None]) -> None:
    for key, value in records:
        outside.send(value, key=key, topic=Topic.RULES)
    outside.flush()


async def test_only_the_latest_of_each_key_is_read_and_then_everything(outside: Outside) -> None:
    heard: list[tuple[bytes, bytes | None]] = []
    topic = outside.name(Topic.RULES)
    tell(outside, (b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", None), (b"a", b"3"))
    follower = Follower(settings=outside.settings.broker, takes={topic: lambda key, value: heard.append((key, value))})

    await follower.start([TopicPartition(topic, 0)])
    before = list(heard)
    tell(outside, (b"a", b"4"), (b"a", b"5"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(heard) < len(before) + 2:
            await asyncio.sleep(0.01)
    await follower.stop()

    assert before == [(b"a", b"3"), (b"b", None)]
    assert heard[2:] == [(b"a", b"4"), (b"a", b"5")]
