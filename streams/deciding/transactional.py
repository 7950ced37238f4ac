"""Transactional producers: starting one fences whoever had the same name, and ends his open transaction."""

import asyncio
import contextlib

from aiokafka import AIOKafkaProducer

from streams.broker.clients import connection
from streams.settings import Settings

CLOSE_SECONDS = 5.0


async def fencing_producer(settings: Settings, name: str) -> AIOKafkaProducer:
    """The one producer of this name within the installation."""
    lanes = settings.lanes
    producer = AIOKafkaProducer(
        **connection(settings.broker),
        transactional_id=settings.own(name),
        acks="all",
        request_timeout_ms=lanes.request_timeout_ms,
        transaction_timeout_ms=lanes.transaction_timeout_ms,
        # Brokers answer CONCURRENT_TRANSACTIONS while they end what a predecessor has left open.
        retry_backoff_ms=lanes.retry_backoff_ms,
    )
    try:
        await producer.start()
    except BaseException:  # cancelled, too: nobody else could stop it
        await given_up(producer)
        raise
    return producer


async def given_up(producer: AIOKafkaProducer) -> None:
    """Stop a producer, once or again, and wait no longer than an unreachable broker deserves."""
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.stop(), CLOSE_SECONDS)
