"""Saying something on `control`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.settings import Settings


async def say(settings: "Settings", key: bytes, value: bytes) -> None:
    """Write a record of the topic, once topics are as they must be. Raises TopicsWrong."""
    from streams.broker.clients import sender
    from streams.broker.topic_admin import require_topics
    from streams.broker.topics import Topic, name_of

    await require_topics(settings)
    async with sender(settings.broker) as producer:
        await producer.send_and_wait(name_of(Topic.CONTROL, settings.topics), key=key, value=value)
