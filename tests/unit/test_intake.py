"""One poll for all lanes: each partition in order, none held up by another, none without bound."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from support.deciding import record_of, transaction
from support.fake_consumer import FakeConsumer

from streams.deciding import intake as intake_module
from streams.deciding.intake import PAUSE_ABOVE, Inlet, Intake

FIRST, SECOND = TopicPartition("transactions", 0), TopicPartition("transactions", 1)
AMPLE = 5.0


def records(*offsets: int) -> list[ConsumerRecord]:
    return [record_of(transaction(offset), offset=offset) for offset in offsets]


@asynccontextmanager
async def reading(consumer: FakeConsumer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Intake]:
    monkeypatch.setattr(intake_module, "GATHER_SECONDS", 0.001)
    intake = Intake(consumer, [FIRST, SECOND])
    intake.start()
    try:
        yield intake
    finally:
        await intake.stop()


async def taken(inlet: Inlet, most: int) -> list[int]:
    """Offsets of the next records, as many as wanted, whatever pieces they come in."""
    offsets: list[int] = []
    async with asyncio.timeout(AMPLE):
        while len(offsets) < most:
            offsets += [record.offset for record in inlet.take(most - len(offsets))]
            await asyncio.sleep(0)
    return offsets


async def test_each_lane_gets_its_own_partition_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = FakeConsumer()
    async with reading(consumer, monkeypatch) as intake:
        consumer.feed(FIRST, *records(0, 1))
        consumer.feed(SECOND, *records(7))
        assert await taken(intake.inlet(FIRST), 2) == [0, 1]
        assert await taken(intake.inlet(SECOND), 1) == [7]
        consumer.feed(FIRST, *records(2, 3, 4))
        assert await taken(intake.inlet(FIRST), 2) == [2, 3]
        assert await taken(intake.inlet(FIRST), 1) == [4]


async def test_a_lane_that_takes_nothing_holds_no_other_up_and_is_not_read_for_without_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = FakeConsumer()
    everything = list(range(4 * PAUSE_ABOVE))
    one = records(0)[0]
    async with reading(consumer, monkeypatch) as intake:
        consumer.feed(SECOND, *[one] * len(everything))
        await until(lambda: SECOND in consumer.held)
        waits = len(intake.inlet(SECOND).waiting)
        assert PAUSE_ABOVE < waits <= PAUSE_ABOVE + intake_module.MOST_AT_ONCE
        consumer.feed(FIRST, *records(0, 1, 2))
        assert await taken(intake.inlet(FIRST), 3) == [0, 1, 2]
        assert len(intake.inlet(SECOND).waiting) == waits
        assert len(await taken(intake.inlet(SECOND), len(everything))) == len(everything)
        assert SECOND not in consumer.held


async def test_who_waits_hears_of_what_comes_and_of_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = FakeConsumer()
    async with reading(consumer, monkeypatch) as intake:
        waits = asyncio.create_task(intake.stirs())
        await asyncio.sleep(0.01)
        assert not waits.done()
        consumer.feed(FIRST, *records(0, 1))
        consumer.feed(SECOND, *records(7))
        await asyncio.wait_for(waits, AMPLE)
        await until(lambda: [len(intake.inlet(each).waiting) for each in (FIRST, SECOND)] == [2, 1])


async def test_who_waits_can_be_woken() -> None:
    intake = Intake(FakeConsumer(), [FIRST])
    waits = asyncio.create_task(intake.stirs())
    await asyncio.sleep(0)
    intake.stir()
    await asyncio.wait_for(waits, AMPLE)


@pytest.mark.parametrize(("end", "behind"), [(8, 0), (108, 100), (None, 0), (3, 0)])
def test_it_knows_how_many_records_follow(end: int | None, behind: int) -> None:
    assert Inlet(FIRST, FakeConsumer(end)).behind(7) == behind


async def test_a_poll_that_fails_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[Any] = []
    monkeypatch.setattr(intake_module, "give_up", lambda event, error, **_: gone.append((event, error)))
    consumer = FakeConsumer()
    consumer.failure = ConnectionError("broker")
    async with reading(consumer, monkeypatch):
        await until(lambda: gone)
    assert gone == [("intake_failed", consumer.failure)]


async def until(holds: Any) -> None:
    async with asyncio.timeout(AMPLE):
        while not holds():
            await asyncio.sleep(0.001)
