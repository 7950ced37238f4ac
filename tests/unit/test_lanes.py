"""Lanes and the consumer group: an opening that takes long must cost neither the partitions nor anybody's rebalance."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from structlog.testing import capture_logs
from support.fake_consumer import FakeConsumer

from streams.deciding import lanes as opening
from streams.deciding.lanes import Lanes
from streams.deciding.profiles import ProfileStore
from streams.settings import Settings

ASSIGNED = [TopicPartition("transactions", number) for number in (1, 0)]


class SlowLanes(Lanes):
    """Opens only when it is let to."""

    def __init__(self) -> None:
        knowledge = SimpleNamespace(card_frauds={})
        super().__init__(
            Settings(),
            instance="worker-1",
            agent=None,
            knowledge=knowledge,
            told=None,
            on_assigned=lambda _: None,
            on_left_open=lambda _: None,
        )
        self.may_open = asyncio.Event()
        self.opened: list[list[TopicPartition]] = []

    async def _open(self, partitions: list[TopicPartition]) -> None:
        await self.may_open.wait()
        self.opened.append(partitions)


def some_lanes(on_left_open: Callable[[int], None] = lambda _: None) -> Lanes:
    return Lanes(
        Settings(),
        instance="worker-1",
        agent=None,
        knowledge=SimpleNamespace(card_frauds={}),
        told=None,
        on_assigned=lambda _: None,
        on_left_open=on_left_open,
    )


class Producer:
    """One that can be stopped, any number of times."""

    stopped = False

    async def stop(self) -> None:
        self.stopped = True


async def test_the_group_is_answered_before_lanes_are_open() -> None:
    lanes = SlowLanes()

    await asyncio.wait_for(lanes.on_partitions_assigned(ASSIGNED), 1.0)

    assert lanes.opened == []
    lanes.may_open.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert lanes.opened == [sorted(ASSIGNED)]


async def test_a_revocation_breaks_an_opening_off() -> None:
    lanes = SlowLanes()
    await lanes.on_partitions_assigned(ASSIGNED)
    await asyncio.sleep(0)

    await asyncio.wait_for(lanes.on_partitions_revoked([]), 1.0)

    lanes.may_open.set()
    await asyncio.sleep(0)
    assert lanes.opened == []


async def test_an_opening_broken_off_leaves_no_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    """One partition is fenced already and another is not, when the partitions are taken away."""
    fenced = Producer()

    async def fence(_settings: Settings, partition: int) -> Producer:
        if partition == 1:
            await asyncio.Event().wait()
        return fenced

    async def follow_nothing(_self: Lanes, _partitions: list[int]) -> None:
        return

    monkeypatch.setattr(opening, "fenced_producer", fence)
    monkeypatch.setattr(Lanes, "_follow_cards", follow_nothing)
    lanes = some_lanes()
    await lanes.on_partitions_assigned(ASSIGNED)
    await asyncio.sleep(0.01)

    await asyncio.wait_for(lanes.on_partitions_revoked([]), 1.0)

    assert fenced.stopped


@pytest.mark.parametrize("wrong", [RuntimeError("broken"), asyncio.CancelledError()], ids=repr)
async def test_a_worker_whose_opening_fails_ends_however_it_fails(
    monkeypatch: pytest.MonkeyPatch, wrong: BaseException
) -> None:
    over: list[BaseException] = []

    async def fence(*_: object) -> None:
        raise wrong

    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(opening, "fenced_producer", fence)
    monkeypatch.setattr(opening, "give_up", lambda _, error: over.append(error))
    monkeypatch.setattr(Lanes, "_follow_cards", nothing)
    lanes = some_lanes()
    await lanes.on_partitions_assigned(ASSIGNED)
    await asyncio.sleep(0.01)
    assert [type(each) for each in over] == [type(wrong)]


class Committing(FakeConsumer):
    """A consumer whose group has decided up to 7."""

    async def committed(self, _partition: TopicPartition) -> int:
        return 7

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 9)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert partition in self.held
        assert offset == 7


async def test_a_partition_whose_last_transaction_is_left_open_waits_and_no_other_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = {1: ("decisions.approve-1 from offset 3",)}
    told: list[int] = []
    started: list[int] = []

    async def fence(*_: object) -> Producer:
        return Producer()

    async def look(*_: object) -> dict[int, tuple[str, ...]]:
        return dict(left)

    async def restored(_settings: object, _topic: str, partitions: list[int]) -> dict[int, ProfileStore]:
        return {each: ProfileStore() for each in partitions}

    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(opening, "fenced_producer", fence)
    monkeypatch.setattr(opening, "left_open", look)
    monkeypatch.setattr(opening, "restore", restored)
    monkeypatch.setattr(opening, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(opening, "LEFT_OPEN_SECONDS", 0.0)
    monkeypatch.setattr(opening.Lane, "start", lambda lane: started.append(lane.state.partition))
    monkeypatch.setattr(Lanes, "_follow_cards", nothing)
    lanes = some_lanes(told.append)
    lanes._consumer = consumer = Committing()

    with capture_logs() as logged:
        await lanes.on_partitions_assigned(ASSIGNED)
        async with asyncio.timeout(5.0):
            while len(told) < 3:
                await asyncio.sleep(0.001)
            assert started == [0]
            assert consumer.held == {TopicPartition("transactions", 1)}
            left.clear()
            while told[-1] != 0:
                await asyncio.sleep(0.001)
        assert started == [0, 1]
        assert consumer.held == set()
        assert set(told[:-1]) == {1}
        await lanes.on_partitions_revoked([])
    events = [each["event"] for each in logged]
    assert events == ["lanes_open", "transaction_left_open", "lanes_open"]


async def test_a_worker_that_is_no_member_any_more_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    over: list[BaseException] = []
    looks = [None, None, KafkaError("Unexpected error during coordination")]

    def check_errors() -> None:
        if (error := looks.pop(0)) is not None:
            raise error

    monkeypatch.setattr(opening, "MIND_SECONDS", 0.0)
    monkeypatch.setattr(opening, "give_up", lambda _, error: over.append(error))
    lanes = SlowLanes()
    lanes._consumer = SimpleNamespace(_coordinator=SimpleNamespace(check_errors=check_errors))

    await asyncio.wait_for(lanes._mind_membership(), 1.0)

    assert [str(each) for each in over] == ["KafkaError: Unexpected error during coordination"]
    assert looks == []
