"""Fills the picture of an installation from its topics, and from where its workers stand, until cancelled."""

import asyncio
import contextlib

from streams.broker.clients import admin, reader
from streams.broker.groups import group_offsets
from streams.broker.reading import partitions_of
from streams.broker.topics import DECISIONS, Topic
from streams.overseeing.live import Live
from streams.overseeing.observer import observe
from streams.settings import Settings

LAG_SECONDS = 1.0


async def follow(settings: Settings, live: Live) -> None:
    """Alerts and heartbeats from the first that is kept, decisions from now on."""
    decisions = dict.fromkeys(DECISIONS.values(), lambda record, at: live.take_decision(record.value, at))
    said = {
        Topic.ALERTS: lambda record, _: live.take_alert(record.value),
        Topic.HEARTBEATS: lambda record, _: live.take_heartbeat(record.key, record.value),
    }
    async with asyncio.TaskGroup() as group:
        group.create_task(observe(settings, decisions, from_beginning=False, at_once=False))
        group.create_task(observe(settings, said, from_beginning=True))
        group.create_task(_measure_lag(settings, live))


async def _measure_lag(settings: Settings, live: Live) -> None:
    """By where the input ends and what the workers' group says: a partition that it says nothing of counts whole."""
    from aiokafka.errors import KafkaError

    inputs = partitions_of(settings, [Topic.TRANSACTIONS])
    async with contextlib.AsyncExitStack() as opened:
        consumer, client = reader(settings.broker), admin(settings.broker)
        opened.push_async_callback(consumer.stop)
        await consumer.start()
        opened.push_async_callback(client.close)
        await client.start()
        while True:
            try:
                ends = await consumer.end_offsets(inputs)
                firsts = await consumer.beginning_offsets(inputs)
                stands = await group_offsets(client, settings.lanes_group, inputs)
            except KafkaError:
                live.lag = None
            else:
                live.lag = sum(max(0, ends[each] - stands.get(each, firsts[each])) for each in inputs)
            await asyncio.sleep(LAG_SECONDS)
