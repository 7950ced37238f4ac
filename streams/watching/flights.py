"""Canaries in flight: one sent to each partition every few seconds, heard of again when a worker has decided it."""

import asyncio
import contextlib
import time
import uuid
from datetime import UTC, datetime

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from models.canary import CANARY_KEY, canary
from rules.canaries import Canaries
from streams.broker.clients import sender
from streams.broker.follower import Follower
from streams.broker.reading import partitions_of
from streams.broker.topics import Topic, name_of
from streams.settings import Settings
from streams.wire.codec import MalformedRecord, read_decision, write_transaction

log = structlog.get_logger()


class Flights:
    """Sends and hears from `start` to `stop`. A canary that cannot be sent is none."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._input = name_of(Topic.TRANSACTIONS, settings.topics)
        self._returning = partitions_of(settings, [Topic.CANARIES])
        self._follower = Follower(settings=settings.broker, takes={self._returning[0].topic: self._take})
        self._producer: AIOKafkaProducer  # made in start: it needs the running loop
        self._task: asyncio.Task[None] | None = None
        self.canaries = Canaries(len(self._returning), late_after=settings.watch.canary_late_seconds)
        self.sent = 0  # that lie in the input, or are on their way there

    async def start(self) -> None:
        """Connect, and send the first."""
        self._producer = sender(self._settings.broker)
        await asyncio.gather(self._producer.start(), self._follower.start(self._returning))
        self._task = asyncio.create_task(self._send_all(), name="canaries")

    async def stop(self) -> None:
        """Send no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._follower.stop()
        with contextlib.suppress(KafkaError):
            await self._producer.stop()

    def _take(self, key: bytes, value: bytes | None) -> None:  # noqa: ARG002 - the key is that of all canaries
        with contextlib.suppress(MalformedRecord):
            decision = read_decision(value)
            self.canaries.decided(decision.input.partition, decision.transaction_id, time.monotonic())

    async def _send_all(self) -> None:
        every = self._settings.watch.canary_seconds
        partitions = range(len(self._returning))
        while True:
            began = time.monotonic()
            await asyncio.gather(*map(self._send, partitions))
            await asyncio.sleep(max(0.0, every - (time.monotonic() - began)))

    async def _send(self, partition: int) -> None:
        payment = canary(f"canary-{uuid.uuid4().hex}", datetime.now(UTC))
        self.canaries.sent(partition, payment.transaction_id, time.monotonic())
        self.sent += 1
        try:
            await self._producer.send_and_wait(
                self._input, key=CANARY_KEY, value=write_transaction(payment), partition=partition
            )
        except KafkaError as error:
            self.canaries.lost(partition, payment.transaction_id)
            self.sent -= 1
            log.warning("canary_not_sent", partition=partition, error=repr(error))
