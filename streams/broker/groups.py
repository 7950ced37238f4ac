"""Where a consumer group stands."""

import asyncio
import time
from typing import TYPE_CHECKING

from streams.broker.reading import Offsets

if TYPE_CHECKING:
    from aiokafka import TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient

LOOK_AGAIN_SECONDS = 0.2
COORDINATOR_SECONDS = 15.0  # a cluster that never had a group makes its topic for them when first asked


async def group_offsets(client: "AIOKafkaAdminClient", group: str, partitions: list["TopicPartition"]) -> Offsets:
    """Where a consumer group stands in each of the partitions that it has committed an offset of."""
    from aiokafka.errors import KafkaError

    give_up_at = time.monotonic() + COORDINATOR_SECONDS
    while True:
        try:
            found = await client.list_consumer_group_offsets(group, partitions=partitions)
        except KafkaError as error:
            if not error.retriable or time.monotonic() >= give_up_at:
                raise
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        else:
            return {each: place.offset for each, place in found.items() if place.offset >= 0}
