"""Publishes what was learnt in one Kafka transaction: the snapshot with its offsets, and every history it changed."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import datetime

from aiokafka import AIOKafkaProducer

from models.learner import Changes, Learner
from models.merchant_history import HISTORY_DAYS, MerchantHistory
from models.snapshot import Snapshot, to_plain
from streams.broker.clients import RETRY_MS, connection
from streams.broker.topics import Topic, name_of
from streams.settings import Settings
from streams.wire.dead_letter import DeadLetter
from streams.wire.feedback import write_card_fraud, write_history
from streams.wire.snapshot_record import CANDIDATE, CHAMPION, SnapshotRecord, write_snapshot

IN_FLIGHT = 500  # records sent before their answers are awaited


class Publisher:
    """One transactional producer, so that a second learner fences the first."""

    def __init__(self, settings: Settings, *, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._producer: AIOKafkaProducer  # made in start: it needs the running loop
        self._risky: set[str] = set()  # acceptors that workers know

    async def start(self) -> None:
        """Connect, and fence whoever published before."""
        self._producer = AIOKafkaProducer(
            **connection(self._settings.broker),
            transactional_id=self._settings.own("learner"),
            acks="all",
            max_request_size=4 << 20,
            transaction_timeout_ms=30_000,
            retry_backoff_ms=RETRY_MS,
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect, whatever state it is in."""
        with contextlib.suppress(Exception):
            await self._producer.stop()

    def workers_know(self, acceptors: Iterable[str]) -> None:
        """Take in which acceptors were published by an earlier learner."""
        self._risky = set(acceptors)

    async def publish(
        self,
        learner: Learner,
        snapshot: Snapshot,
        changes: Changes,
        *,
        now: float,
        dead_letters: list[tuple[int, DeadLetter]],
        card_partitions: dict[str, int],
        fit: bool = True,
        good: tuple[bytes, SnapshotRecord] | None = None,
    ) -> SnapshotRecord | None:
        """Publish everything or nothing; the record of the new champion, if it is one: if fit, and taught enough.

        `good` is a champion to be kept, with its key. `now` is event time, seconds. An error leaves the process to be
        restarted.
        """
        is_champion = fit and self._settings.learner.are_enough(labels=snapshot.labels, frauds=snapshot.frauds)
        record = SnapshotRecord(created_at=self._clock(), snapshot=to_plain(snapshot))
        await self._producer.begin_transaction()
        sent = [await self._send(Topic.MODELS, CHAMPION if is_champion else CANDIDATE, write_snapshot(record), 0)]
        if good is not None:
            sent.append(await self._send(Topic.LEARNER_STATE, good[0], write_snapshot(good[1]), 0))
        for acceptor in sorted(changes.acceptors):
            sent += await self._acceptor(acceptor, learner.merchants[acceptor], now)
            await self._settle(sent)
        for card in sorted(changes.cards):
            value = write_card_fraud(learner.card_fraud_at.get(card))
            sent.append(await self._send(Topic.CARD_FEEDBACK, card.encode(), value, card_partitions[card]))
            await self._settle(sent)
        for partition, letter in dead_letters:
            name = name_of(Topic.DEAD_LETTERS, self._settings.topics)
            sent.append(
                await self._producer.send(
                    name, key=letter.key, value=letter.value, partition=partition, headers=letter.headers
                )
            )
            await self._settle(sent)
        await asyncio.gather(*sent)
        await self._producer.commit_transaction()
        return record if is_champion else None

    async def _acceptor(self, acceptor: str, history: MerchantHistory, now: float) -> list["asyncio.Future[object]"]:
        key, value = acceptor.encode(), write_history(history)
        sent = [await self._send(Topic.LEARNER_STATE, key, value, 0)]
        if history.has_fraud(now, HISTORY_DAYS):
            self._risky.add(acceptor)
            sent.append(await self._send(Topic.MERCHANT_RISK, key, value, 0))
        elif acceptor in self._risky:
            self._risky.discard(acceptor)
            sent.append(await self._send(Topic.MERCHANT_RISK, key, None, 0))
        return sent

    async def _send(self, topic: Topic, key: bytes, value: bytes | None, partition: int) -> "asyncio.Future[object]":
        name = name_of(topic, self._settings.topics)
        sent: asyncio.Future[object] = await self._producer.send(name, key=key, value=value, partition=partition)
        return sent

    @staticmethod
    async def _settle(sent: list["asyncio.Future[object]"]) -> None:
        if len(sent) >= IN_FLIGHT:
            await asyncio.gather(*sent)
            sent.clear()
