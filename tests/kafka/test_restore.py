"""Restoring many cards: the latest of each counts, the loop stays free, and the group hears of the worker meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from support.outside import PATIENCE_SECONDS, Outside, outside_of

from models.profile import Profile
from models.profile_packing import pack
from streams.broker import reading
from streams.broker.reading import whole
from streams.broker.topics import Topic
from streams.deciding import profiles
from streams.deciding.lanes import Lanes
from streams.deciding.profiles import ProfileStore, restore

pytestmark = pytest.mark.kafka

CARDS = 60_000
PARTITIONS = [0, 1]
SESSION_SECONDS = 6.0  # the least that brokers allow by default
LONG_SECONDS = SESSION_SECONDS + 3.0


@pytest.fixture(scope="module")
def changelog(bootstrap: str) -> Iterator[Outside]:
    """60,000 cards, each written twice; then every fifth deleted; then a third version that was taken back."""
    with outside_of(bootstrap, "restore.") as outside:
        producer = Producer(
            {"bootstrap.servers": bootstrap, "transactional.id": "restore", "queue.buffering.max.messages": CARDS + 1}
        )
        producer.init_transactions(PATIENCE_SECONDS)
        for version in (1, 2):
            write(outside, producer, range(CARDS), packed(version))
        write(outside, producer, range(0, CARDS, 5), None)
        write(outside, producer, range(CARDS), packed(3), commit=False)
        yield outside


def write(outside: Outside, producer: Producer, cards: range, value: bytes | None, *, commit: bool = True) -> None:
    producer.begin_transaction()
    for card in cards:
        producer.produce(outside.name(Topic.PROFILES), value, token(card), partition=card % len(PARTITIONS))
    if commit:
        producer.commit_transaction(PATIENCE_SECONDS)
    else:
        producer.flush(PATIENCE_SECONDS)
        producer.abort_transaction(PATIENCE_SECONDS)


def token(card: int) -> bytes:
    return f"tok_{card:032x}".encode()


def packed(version: int) -> bytes:
    """A card of so many payments."""
    profile = Profile()
    for number in range(version):
        profile.observe(1_790_000_000 + number, 1_250, number, number)
    return pack(profile)


async def restored(outside: Outside) -> dict[int, ProfileStore]:
    return await restore(outside.settings.broker, outside.name(Topic.PROFILES), PARTITIONS)


@pytest.fixture
async def group(changelog: Outside) -> "Group":
    """That of the lanes, empty: workers of another test are in it until their session ends."""
    found = Group(AdminClient({"bootstrap.servers": changelog.bootstrap}), changelog.settings.lanes_group)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(await found.places()) > 1:
            await asyncio.sleep(0.1)
    return found


async def test_the_latest_committed_version_of_each_card_counts(changelog: Outside) -> None:
    stores = await restored(changelog)

    alive = [card for card in range(CARDS) if card % 5]
    assert sum(map(len, stores.values())) == len(alive)
    assert {stores[card % len(PARTITIONS)].check_out(token(card)).n for card in alive} == {2}
    assert stores[0].check_out(token(0)).last_seen is None


async def test_others_have_their_turn_after_each_few_records(
    changelog: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 100
    monkeypatch.setattr(reading, "MOST_RECORDS", most)
    taken = note_each_record(monkeypatch)
    longest = 0

    async def look() -> None:
        nonlocal longest
        seen = 0
        while True:
            longest, seen = max(longest, len(taken) - seen), len(taken)
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await restored(changelog)
    looking.cancel()

    assert len(taken) >= CARDS * 4 // 5  # however much is compacted by now
    assert longest <= most


def note_each_record(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The cards of the records that stores take in from now on."""
    taken: list[bytes] = []
    take = ProfileStore.restored

    def noting(store: ProfileStore, card: bytes, packed: bytes | None) -> None:
        taken.append(card)
        take(store, card, packed)

    monkeypatch.setattr(ProfileStore, "restored", noting)
    return taken


async def test_a_restore_longer_than_the_session_costs_no_partition(
    changelog: Outside, group: "Group", monkeypatch: pytest.MonkeyPatch
) -> None:
    restore_for(LONG_SECONDS, monkeypatch)
    async with joined(changelog, "worker-1") as (first, opened), asyncio.timeout(PATIENCE_SECONDS):
        await until(lambda: first.assignment())
        places = set()
        while not opened:
            places.add(await group.places())
            await asyncio.sleep(0.1)

    assert opened == [len(PARTITIONS)]
    assert len(places) == 1


@pytest.mark.usefixtures("group")
async def test_a_worker_that_joins_does_not_wait_for_the_restore_of_another(
    changelog: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    restores = restore_for(10 * PATIENCE_SECONDS, monkeypatch)
    async with joined(changelog, "worker-1") as (first, opened):
        await until(lambda: restores == [PARTITIONS])
        async with joined(changelog, "worker-2") as (second, _):
            await until(lambda: sorted(restores[1:]) == [[0], [1]])

            assert len(first.assignment()) == len(second.assignment()) == 1
            assert not opened


def restore_for(seconds: float, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Have each restore last so long, its first records taken in; which partitions those are that came so far."""
    begun: list[list[int]] = []

    async def slowly(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> AsyncIterator[list[Any]]:
        async for records in whole(consumer, partitions):
            yield records
            begun.append([each.partition for each in partitions])
            await asyncio.sleep(seconds)
            return

    monkeypatch.setattr(profiles, "whole", slowly)
    return begun


@asynccontextmanager
async def joined(outside: Outside, instance: str) -> AsyncIterator[tuple[AIOKafkaConsumer, list[int]]]:
    """The lanes of a worker while they are in the group: their member of it, and how many were opened each time."""
    opened: list[int] = []
    lanes = Lanes(
        outside.settings,
        instance=instance,
        agent=None,
        knowledge=SimpleNamespace(card_frauds={}, take_card=None),
        told=None,
        on_assigned=lambda count: opened.append(count) if count else None,
        on_left_open=lambda _: None,
    )
    await lanes.start()
    try:
        yield lanes._consumer, opened
    finally:
        await lanes.stop()


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group as the broker tells of it."""

    admin: AdminClient
    group_id: str

    async def places(self) -> tuple[str, ...]:
        """Its state and members: who loses his place, even for a moment, does not get the same again."""
        answer = self.admin.describe_consumer_groups([self.group_id])[self.group_id]
        group = await asyncio.to_thread(answer.result, PATIENCE_SECONDS)
        return (str(group.state), *(member.member_id for member in group.members))


async def until(holds: Any) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.05)
