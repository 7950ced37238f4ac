"""What the consumer group is told of its lanes: what has moved, again if it was not taken, and the end at the end."""

import asyncio
from collections.abc import Mapping

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from streams.deciding import group_offsets
from streams.deciding.group_offsets import GroupOffsets

FIRST, SECOND = (TopicPartition("transactions", number) for number in (0, 1))


class Member:
    """A consumer that is told; `failures` are raised first, one at a time."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.told: list[dict[TopicPartition, int]] = []
        self.hangs = False

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.failures:
            raise self.failures.pop(0)
        self.told.append(dict(offsets))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_offsets, "TELL_SECONDS", 0.001)
    monkeypatch.setattr(group_offsets, "PATIENCE_SECONDS", 0.01)


async def until_told(member: Member, times: int) -> None:
    async with asyncio.timeout(5.0):
        while len(member.told) < times:
            await asyncio.sleep(0.001)


async def test_only_what_has_moved_is_told() -> None:
    member, places = Member(), {FIRST: 3, SECOND: 0}
    offsets = GroupOffsets(member, lambda: places)
    offsets.start()
    await until_told(member, 1)
    await asyncio.sleep(0.01)
    places[SECOND] = 7
    await until_told(member, 2)
    await offsets.stop(places)
    assert member.told == [{FIRST: 3, SECOND: 0}, {SECOND: 7}]


@pytest.mark.parametrize("failure", [CommitFailedError("rebalanced"), IllegalStateError("not assigned")], ids=repr)
async def test_what_was_not_taken_is_told_again(failure: Exception) -> None:
    member = Member(failure)
    offsets = GroupOffsets(member, lambda: {FIRST: 3})
    offsets.start()
    await until_told(member, 1)
    await offsets.stop({FIRST: 3})
    assert member.told == [{FIRST: 3}]
    assert member.failures == []


async def test_at_the_end_it_tells_the_end() -> None:
    member = Member()
    offsets = GroupOffsets(member, lambda: {FIRST: 3})
    offsets.start()
    await until_told(member, 1)
    await offsets.stop({FIRST: 9})
    assert member.told[-1] == {FIRST: 9}


async def test_at_the_end_nobody_waits_for_a_coordinator_that_is_gone() -> None:
    member = Member()
    member.hangs = True
    await asyncio.wait_for(GroupOffsets(member, dict).stop({FIRST: 9}), 5.0)
    assert member.told == []


async def test_what_it_cannot_know_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    over: list[BaseException] = []
    monkeypatch.setattr(group_offsets, "give_up", lambda _, error: over.append(error))
    offsets = GroupOffsets(Member(RuntimeError("broken")), lambda: {FIRST: 3})
    offsets.start()
    async with asyncio.timeout(5.0):
        while not over:
            await asyncio.sleep(0.001)
    assert [str(each) for each in over] == ["broken"]
    await offsets.stop({})
