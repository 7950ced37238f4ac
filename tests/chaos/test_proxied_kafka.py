"""The fault proxy before a real broker: clients get through what networks do, and nothing is lost or comes twice."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from chaos.proxy import BlackHole, Direction, FaultProxy, Latency, ResetPeer, Slicer
from support.strangers import create_topic

from streams.broker.embedded import EmbeddedKafka
from streams.broker.kafka_launch import KafkaOptions

pytestmark = pytest.mark.chaos

TOPIC = "payments"
PAUSE_SECONDS = 0.005  # between two records
PATIENCE_SECONDS = 60.0


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[FaultProxy]:
    """Before a broker that sends all clients to it, with the topic made."""
    async with FaultProxy(rng=random.Random(1)) as proxy:
        options = KafkaOptions(heap_mb=256, advertised=f"127.0.0.1:{proxy.port}")
        async with EmbeddedKafka(tmp_path / "kafka", options) as broker:
            proxy.lead_to(broker.port)
            await asyncio.to_thread(create_topic, broker.bootstrap, TOPIC)
            yield proxy


async def send(producer: AIOKafkaProducer, enough: asyncio.Event) -> list[bytes]:
    """Send numbered records until it is enough; what the broker has acknowledged, which is all."""
    sent, promises = [], []
    while not enough.is_set():
        sent.append(str(len(sent)).encode())
        promises.append(await producer.send(TOPIC, sent[-1]))
        await asyncio.sleep(PAUSE_SECONDS)
    await asyncio.gather(*promises)
    return sent


async def read(consumer: AIOKafkaConsumer, heard: list[bytes]) -> None:
    async for record in consumer:
        heard.append(record.value)


async def break_the_network(proxy: FaultProxy) -> None:
    """One thing after the other, each for long enough that both clients are hit."""
    with proxy.fault(Latency(30, 20)), proxy.fault(Slicer(50, 20, delay_us=100)):
        await asyncio.sleep(2)
        with proxy.fault(ResetPeer(), direction=Direction.DOWNSTREAM):  # written, and nobody told
            await until_accepted(proxy, proxy.accepted + 3)
    await asyncio.sleep(1)
    with proxy.fault(BlackHole()):
        await asyncio.sleep(3)
    await asyncio.sleep(1)


async def until_accepted(proxy: FaultProxy, connections: int) -> None:
    while proxy.accepted < connections:
        await asyncio.sleep(0.02)


async def test_all_records_arrive_once_and_in_order_through_a_network_that_breaks(proxy):
    where = f"127.0.0.1:{proxy.port}"
    heard: list[bytes] = []
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        AIOKafkaProducer(bootstrap_servers=where, enable_idempotence=True, acks="all") as producer,
        AIOKafkaConsumer(TOPIC, bootstrap_servers=where, auto_offset_reset="earliest") as consumer,
    ):
        reading = asyncio.create_task(read(consumer, heard))
        enough = asyncio.Event()
        sending = asyncio.create_task(send(producer, enough))
        await break_the_network(proxy)
        enough.set()
        sent = await sending
        while len(heard) < len(sent):
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)  # whatever comes twice comes now
        reading.cancel()

    assert len(sent) > 300
    assert heard == sent
