"""Who may write for a partition: however many claim it, only the last can, and what an earlier one began is over."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from support.outside import Outside, outside_of

from streams.broker.topics import Topic
from streams.deciding import ownership
from streams.deciding.left_open import BATCHES, CLAIMS, left_open
from streams.deciding.ownership import Replaced, lock, take_over
from streams.deciding.transactional import fencing_producer, given_up
from streams.settings import Settings

pytestmark = pytest.mark.kafka

PARTITIONS = [0, 1]
CLAIMANTS = 8
UNSEEN_SECONDS = 0.5
SEED = 11


@pytest.fixture
def outside(bootstrap: str, topic_prefix: str) -> Iterator[Outside]:
    with outside_of(bootstrap, topic_prefix) as outside:
        yield outside


@asynccontextmanager
async def started(settings: Settings, name: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = await fencing_producer(settings, name)
    try:
        yield producer
    finally:
        await given_up(producer)


async def claim(settings: Settings, owner: str, partitions: list[int], pause: float = 0.0) -> None:
    """As a worker does; so long after the locks are its own."""
    async with AsyncExitStack() as opened:
        locks = {}
        for each in partitions:
            locks[each] = await lock(settings, each)
            opened.push_async_callback(given_up, locks[each])
        await asyncio.sleep(pause)
        while left := await left_open(settings, partitions, CLAIMS):
            assert left.keys() <= set(partitions)
            await asyncio.sleep(0.01)
        await take_over(settings, locks, owner)


async def write(outside: Outside, producer: AIOKafkaProducer, partition: int, *, commit: bool = True) -> None:
    await producer.begin_transaction()
    await producer.send_and_wait(outside.name(Topic.PROFILES), b"packed", b"tok", partition)
    if commit:
        await producer.commit_transaction()


def claims(outside: Outside) -> dict[int, set[str]]:
    """Whose claims stand, by partition."""
    standing: dict[int, set[str]] = {each: set() for each in PARTITIONS}
    for each in outside.all_of(Topic.LANE_OWNERS):
        name = (each.key() or b"").decode()
        (standing[each.partition()].discard if each.value() is None else standing[each.partition()].add)(name)
    return standing


async def test_a_predecessor_is_fenced_in_the_middle_of_its_transaction(outside: Outside) -> None:
    settings = outside.settings
    async with started(settings, "lanes-a") as first, started(settings, "lanes-b") as second:
        await claim(settings, "lanes-a", PARTITIONS)
        await write(outside, first, 0)
        await write(outside, first, 0, commit=False)

        await claim(settings, "lanes-b", [0])

        assert await left_open(settings, [0], BATCHES) == {}
        with pytest.raises(KafkaError):
            await first.commit_transaction()
        await write(outside, second, 0)
    assert len(outside.all_of(Topic.PROFILES)) == 2
    assert claims(outside) == {0: {"lanes-b"}, 1: {"lanes-a"}}


async def test_who_has_let_go_of_a_partition_writes_on_for_others(outside: Outside) -> None:
    """A worker whose partitions change has a producer of another name then, and nobody fences that."""
    settings = outside.settings
    async with started(settings, "lanes-a"):
        await claim(settings, "lanes-a", PARTITIONS)
    async with started(settings, "lanes-a-again") as first, started(settings, "lanes-b") as second:
        await claim(settings, "lanes-a-again", [1])
        await claim(settings, "lanes-b", [0])
        await write(outside, first, 1)
        await write(outside, second, 0)
    assert claims(outside) == {0: {"lanes-b"}, 1: {"lanes-a-again"}}


async def test_a_claim_counts_once_it_is_to_be_seen(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka has answered that it is committed, and readers do not see it yet."""
    settings, commits = outside.settings, list[asyncio.Task[None]]()
    async with started(settings, "lanes-a") as first, started(settings, "lanes-b") as second:
        await claim(settings, "lanes-a", [0])
        commit = AIOKafkaProducer.commit_transaction

        async def later(producer: AIOKafkaProducer) -> None:
            await asyncio.sleep(UNSEEN_SECONDS)
            await commit(producer)

        async def answered(producer: AIOKafkaProducer) -> None:
            monkeypatch.undo()
            commits.append(asyncio.create_task(later(producer)))

        monkeypatch.setattr(AIOKafkaProducer, "commit_transaction", answered)
        await claim(settings, "lanes-b", [0])

        await asyncio.gather(*commits)
        with pytest.raises(KafkaError):
            await write(outside, first, 0)
        await write(outside, second, 0)
    assert claims(outside) == {0: {"lanes-b"}, 1: set()}


async def test_who_lost_the_lock_cannot_claim(outside: Outside) -> None:
    settings = outside.settings
    slow = await lock(settings, 0)
    try:
        await claim(settings, "lanes-b", [0])
        with pytest.raises(KafkaError):
            await take_over(settings, {0: slow}, "lanes-a")
    finally:
        await given_up(slow)
    assert claims(outside) == {0: {"lanes-b"}, 1: set()}


async def test_who_was_replaced_fences_nobody(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another claims the partition between his own claim and his look at those before it."""
    settings, look = outside.settings, ownership._claims

    async def late(*given: Any) -> dict[int, list[str]]:
        monkeypatch.setattr(ownership, "_claims", look)
        await claim(settings, "lanes-b", [0])
        return await look(*given)

    async with started(settings, "lanes-b") as second:
        monkeypatch.setattr(ownership, "_claims", late)
        with pytest.raises(Replaced):
            await claim(settings, "lanes-a", [0])
        await write(outside, second, 0)
    assert claims(outside) == {0: {"lanes-b"}, 1: set()}


async def test_whose_claim_was_left_half_made_is_not_waited_for(outside: Outside) -> None:
    """It was killed in the middle: the next lock ends that transaction at once."""
    settings = outside.settings
    killed = await lock(settings, 0)
    await killed.begin_transaction()
    await killed.send_and_wait(outside.name(Topic.LANE_OWNERS), b"1", b"lanes-a", 0)
    assert list(await left_open(settings, [0], CLAIMS)) == [0]

    async with asyncio.timeout(5.0):
        await claim(settings, "lanes-b", [0])

    await given_up(killed)
    assert claims(outside) == {0: {"lanes-b"}, 1: set()}


async def test_of_many_that_claim_at_once_one_at_most_can_write(outside: Outside) -> None:
    """Those whose claim failed would have ended their process. Of the others none but the last to claim is left."""
    settings, rng = outside.settings, random.Random(SEED)
    async with AsyncExitStack() as opened:
        producers = {
            name: await opened.enter_async_context(started(settings, name))
            for name in (f"lanes-{number}" for number in range(CLAIMANTS))
        }

        async def compete(name: str, before: float, within: float) -> bool:
            await asyncio.sleep(before)
            try:
                await claim(settings, name, [0], within)
            except (KafkaError, Replaced):
                return False
            return True

        took = [rng.uniform(0.0, 0.5) for _ in range(2 * CLAIMANTS)]
        claimed = await asyncio.gather(
            *(compete(name, *took[2 * place : 2 * place + 2]) for place, name in enumerate(producers))
        )
        may_write = []
        for name, producer in producers.items():
            try:
                await write(outside, producer, 0)
            except KafkaError:
                continue
            may_write.append(name)
    [owner] = claims(outside)[0]
    succeeded = {name for name, has in zip(producers, claimed, strict=True) if has}
    assert owner in succeeded
    assert set(may_write) & succeeded == {owner}
