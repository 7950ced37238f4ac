"""Saying something on `control`."""

from typing import TYPE_CHECKING

from streams.broker.topics import Topic
from streams.overseeing.cluster import KafkaCluster

if TYPE_CHECKING:
    from streams.settings import Settings


async def say(settings: "Settings", key: bytes, value: bytes) -> None:
    """Write a record of the topic, once topics are as they must be. Raises TopicsWrong."""
    await KafkaCluster(settings).send(Topic.CONTROL, [(key, value)])
