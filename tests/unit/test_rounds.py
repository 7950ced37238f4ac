"""Rounds: all lanes together, one after the other, and never a decision that is not committed in its order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import TopicPartition
from support.deciding import a_lane, record_of, transaction
from support.fake_consumer import FakeConsumer

from streams.deciding import rounds as rounds_module
from streams.deciding.batch import Decided
from streams.deciding.intake import Intake
from streams.deciding.lane import Lane
from streams.deciding.lane_state import LaneState, Taken
from streams.deciding.rounds import AHEAD_FROM, Rounds
from streams.settings import LaneSettings

PARTITIONS = [TopicPartition("transactions", number) for number in range(3)]
AT_ONCE = LaneSettings(min_batch_interval_ms=0)


class Agent:
    """Decides all to be duplicates, or fails, or waits until it may."""

    def __init__(self) -> None:
        self.asked: list[dict[int, list[int]]] = []  # offsets of each round, by partition
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.error: Exception | None = None

    async def ask(self, taken: Sequence[Taken], timeout_seconds: float) -> list[Decided]:
        self.asked.append({each.lane.partition: [record.offset for record in each.records] for each in taken})
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return [Decided(duplicates=len(each.records)) for each in taken]


class Writer:
    """Remembers what was written: of each transaction, the partitions and what is noted there."""

    def __init__(self) -> None:
        self.begun: list[dict[int, int]] = []
        self.written: list[dict[int, int]] = []
        self.may_commit = asyncio.Event()
        self.may_commit.set()
        self.error: Exception | None = None

    async def transact(self, batches: Sequence[tuple[int, Decided]]) -> None:
        notes = {partition: int(decided.profiles[-1].value or b"") for partition, decided in batches}
        self.begun.append(notes)
        await self.may_commit.wait()
        if self.error is not None:
            raise self.error
        self.written.append(notes)


class Desk:
    """Rounds of three lanes, and everything around them."""

    def __init__(self, settings: LaneSettings) -> None:
        self.agent, self.writer, self.consumer = Agent(), Writer(), FakeConsumer(1_000_000)
        self.intake = Intake(self.consumer, PARTITIONS)
        self.told: list[tuple[int, int, int | None]] = []  # partition, duplicates, next offset
        self.rounds = Rounds(settings, intake=self.intake, writer=self.writer, agent=self.agent, told=self._tell)
        self.rounds.add([self._lane(each) for each in PARTITIONS])
        self.offsets = dict.fromkeys(range(len(PARTITIONS)), 0)

    def _lane(self, partition: TopicPartition) -> Lane:
        state = replace(a_lane(), partition=partition.partition)
        return Lane(inlet=self.intake.inlet(partition), state=state, next=None, profile_idle_days=90)

    def _tell(self, state: LaneState, batch: Decided) -> None:
        [lane] = [each for each in self.rounds.lanes if each.state is state]
        self.told.append((state.partition, batch.duplicates, lane.next))

    def come(self, counts: dict[int, int]) -> None:
        """So many payments come to each partition."""
        for partition, count in counts.items():
            first = self.offsets[partition]
            made = [record_of(transaction(each), offset=each) for each in range(first, first + count)]
            self.intake.inlet(PARTITIONS[partition]).add(made)
            self.offsets[partition] += count
        self.intake.stir()

    async def until(self, holds: object) -> None:
        async with asyncio.timeout(5.0):
            while not holds():  # type: ignore[operator]
                await asyncio.sleep(0)


@asynccontextmanager
async def at_work(settings: LaneSettings = AT_ONCE) -> AsyncIterator[Desk]:
    desk = Desk(settings)
    try:
        yield desk
    finally:
        await desk.rounds.close()


@pytest.fixture
def over(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why the process would have ended."""
    ends: list[str] = []
    monkeypatch.setattr(rounds_module, "give_up", lambda event, error, **_: ends.append(f"{event}: {error}"))
    return ends


async def test_what_waits_in_all_lanes_is_one_item_and_one_transaction() -> None:
    async with at_work() as desk:
        desk.come({0: 2, 2: 1})
        await desk.until(lambda: len(desk.told) == 2)
        assert desk.agent.asked == [{2: [0], 0: [0, 1]}]
        assert desk.writer.written == [{2: 1, 0: 2}]
        assert sorted(desk.told) == [(0, 2, 2), (2, 1, 1)]


async def test_few_that_come_during_a_commit_wait_for_those_that_come_after_them() -> None:
    async with at_work() as desk:
        desk.writer.may_commit.clear()
        desk.come({0: 1})
        await desk.until(lambda: desk.writer.begun)
        desk.come({0: 1})
        await asyncio.sleep(0.01)
        desk.come({1: 1})
        await asyncio.sleep(0.01)
        assert len(desk.agent.asked) == 1
        desk.writer.may_commit.set()
        await desk.until(lambda: len(desk.told) == 3)
        assert desk.agent.asked[1:] == [{0: [1], 1: [0]}]


async def test_many_are_decided_meanwhile_and_committed_afterwards() -> None:
    async with at_work() as desk:
        desk.writer.may_commit.clear()
        desk.come({0: 1})
        await desk.until(lambda: desk.writer.begun)
        desk.come({1: AHEAD_FROM})
        await desk.until(lambda: len(desk.agent.asked) == 2)
        await asyncio.sleep(0.01)
        assert len(desk.writer.begun) == 1
        assert desk.told == []
        desk.writer.may_commit.set()
        await desk.until(lambda: len(desk.told) == 2)
        assert desk.writer.written == [{0: 1}, {1: AHEAD_FROM}]


async def test_a_round_is_bounded_and_who_has_much_leaves_their_share_to_others() -> None:
    async with at_work(replace(AT_ONCE, max_batch=100)) as desk:
        desk.agent.may_answer.clear()
        desk.come({2: 1})
        await desk.until(lambda: desk.agent.asked)
        desk.come({0: 500, 1: 500, 2: 10})
        desk.agent.may_answer.set()
        await desk.until(lambda: len(desk.agent.asked) > 1)
        assert {partition: len(offsets) for partition, offsets in desk.agent.asked[1].items()} == {2: 10, 0: 45, 1: 45}
        await desk.until(lambda: sum(count for _, count, _ in desk.told) == 1_011)
        assert all(sum(map(len, each.values())) <= 100 for each in desk.agent.asked)
        for partition, count in desk.offsets.items():
            assert [offset for each in desk.agent.asked for offset in each.get(partition, [])] == list(range(count))


async def closed_amid(desk: Desk, held: asyncio.Event, come_to: list[Any]) -> asyncio.Task[None]:
    """Rounds that are told to close while one is held up where it has come to."""
    held.clear()
    desk.come({0: 1})
    await desk.until(lambda: come_to)
    return asyncio.create_task(desk.rounds.close())


async def test_a_round_in_hand_is_finished_at_the_end_and_no_other_begun() -> None:
    desk = Desk(AT_ONCE)
    closing = await closed_amid(desk, desk.agent.may_answer, desk.agent.asked)
    desk.come({1: 1})
    await asyncio.sleep(0.01)
    desk.agent.may_answer.set()
    await asyncio.wait_for(closing, 1.0)
    assert desk.writer.written == [{0: 1}]
    assert desk.told == [(0, 1, 1)]


async def test_a_commit_in_hand_is_finished_at_the_end() -> None:
    desk = Desk(AT_ONCE)
    closing = await closed_amid(desk, desk.writer.may_commit, desk.writer.begun)
    await asyncio.sleep(0.01)
    assert not closing.done()
    desk.writer.may_commit.set()
    await asyncio.wait_for(closing, 1.0)
    assert desk.told == [(0, 1, 1)]


async def test_what_does_not_end_in_time_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that answers no more must not cost the worker its place in the group as well."""
    monkeypatch.setattr(rounds_module, "CLOSE_SECONDS", 0.05)
    desk = Desk(AT_ONCE)
    desk.writer.may_commit.clear()
    desk.come({0: 1})
    await desk.until(lambda: desk.writer.begun)
    desk.come({1: AHEAD_FROM})
    await desk.until(lambda: len(desk.agent.asked) == 2)
    await asyncio.wait_for(desk.rounds.close(), 1.0)
    desk.writer.may_commit.set()
    await asyncio.sleep(0.01)
    assert (desk.writer.written, desk.told, len(desk.writer.begun)) == ([], [], 1)


async def test_nothing_is_written_of_a_round_that_could_not_be_decided(over: list[str]) -> None:
    async with at_work() as desk:
        desk.agent.error = ValueError("judgement")
        desk.come({0: 1})
        await desk.until(lambda: over)
        assert over == ["round_failed: judgement"]
        assert (desk.writer.begun, desk.told) == ([], [])


async def test_what_was_not_committed_is_not_said_to_be(over: list[str]) -> None:
    async with at_work() as desk:
        desk.writer.error = ConnectionError("broker")
        desk.come({0: 1})
        await desk.until(lambda: over)
        assert over == ["commit_failed: broker"]
        assert desk.told == []
        assert desk.rounds.lanes[0].next is None


async def test_a_lane_that_waits_knows_that_it_has_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds_module, "WAIT_SECONDS", 0.001)
    async with at_work() as desk:
        desk.come({0: 1})
        await desk.until(lambda: desk.told)
        assert desk.rounds.lanes[0].state.lag > 0
        desk.consumer.end = 1
        await desk.until(lambda: desk.rounds.lanes[0].state.lag == 0)
