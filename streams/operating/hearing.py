"""What is said of the whole: the operator's word, and the last heartbeat of each worker, as their topics have it."""

import contextlib
from typing import TYPE_CHECKING

from streams.wire.codec import MalformedRecord
from streams.wire.control import MODE, ModeOrder, read_order
from streams.wire.heartbeat import Heartbeat, read_heartbeat

if TYPE_CHECKING:
    from streams.settings import Settings


async def heard(settings: "Settings") -> tuple[ModeOrder, list[Heartbeat]]:
    """Read it; what cannot be read changes nothing. Raises TopicsWrong."""
    from streams.broker.clients import reader
    from streams.broker.reading import partitions_of, whole
    from streams.broker.topic_admin import require_topics
    from streams.broker.topics import Topic, name_of

    await require_topics(settings)
    order, beats = ModeOrder(), dict[bytes, Heartbeat]()
    control = name_of(Topic.CONTROL, settings.topics)
    async with reader(settings.broker) as consumer:
        async for records in whole(consumer, partitions_of(settings, [Topic.CONTROL, Topic.HEARTBEATS])):
            for record in records:
                with contextlib.suppress(MalformedRecord):
                    if record.topic == control:
                        order = read_order(record.value) if record.key == MODE else order
                    elif record.value is None:
                        beats.pop(record.key, None)
                    else:
                        beats[record.key] = read_heartbeat(record.value)
    return order, sorted((each for each in beats.values() if each.mode is not None), key=lambda each: each.instance)
