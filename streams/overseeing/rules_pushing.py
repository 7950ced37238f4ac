"""Putting a rule set into force, through the `rules` topic."""

from streams.settings import Settings

ACTIVE = b"active"  # the key that workers take
LARGEST_SET = 4_500_000  # bytes: a million characters of four each, and some room; the topic may allow less


async def push_ruleset(settings: Settings, text: str, ruleset_version: str) -> None:
    """Send a checked set under its version, for the history, then as the active one; return once the broker has both.

    Raises what the broker refuses.
    """
    from streams.broker.clients import sender
    from streams.broker.topic_admin import require_topics
    from streams.broker.topics import Topic, name_of

    await require_topics(settings)
    topic = name_of(Topic.RULES, settings.topics)
    async with sender(settings.broker, max_request_size=LARGEST_SET) as producer:
        for key in (ruleset_version.encode(), ACTIVE):
            await producer.send_and_wait(topic, key=key, value=text.encode())
