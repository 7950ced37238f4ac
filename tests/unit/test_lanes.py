"""Lanes and the consumer group: an opening that takes long must cost neither the partitions nor anybody's rebalance."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from structlog.testing import capture_logs
from support.fake_brokers import FakeBrokers
from support.fake_consumer import FakeConsumer

from streams.broker.topics import Topic
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
    """One that can be stopped, any number of times, and tells whoever writes by it what aiokafka's does."""

    stopped = False

    @property
    def client(self) -> FakeBrokers:
        return FakeBrokers()

    _txn_manager = SimpleNamespace(transactional_id="lanes-1", producer_id=7, producer_epoch=3)

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


class Kafka:
    """The producers that an opening starts, and the transactions that it finds left open; stands in for its modules."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writers: dict[str, Producer] = {}  # by name
        self.locks: dict[int, Producer] = {}
        self.stuck: set[int] = set()  # partitions that cannot be locked
        self.left: dict[Topic, dict[int, tuple[str, ...]]] = {}
        self.claimed: list[tuple[list[int], str]] = []
        self.wrong: BaseException | None = None  # at the start of any producer
        monkeypatch.setattr(opening, "fencing_producer", self._writer)
        monkeypatch.setattr(opening, "lock", self._lock)
        monkeypatch.setattr(opening, "left_open", self._left_open)
        monkeypatch.setattr(opening, "take_over", self._take_over)
        monkeypatch.setattr(opening, "restore", self._restore)
        monkeypatch.setattr(opening, "LOOK_SECONDS", 0.01)
        monkeypatch.setattr(opening, "LEFT_OPEN_SECONDS", 0.0)
        monkeypatch.setattr(Lanes, "_follow_cards", self._nothing)

    async def _writer(self, _settings: Settings, name: str) -> Producer:
        return self._started(self.writers.setdefault(name, Producer()))

    async def _lock(self, _settings: Settings, partition: int) -> Producer:
        if partition in self.stuck:
            await asyncio.Event().wait()
        return self._started(self.locks.setdefault(partition, Producer()))

    def _started(self, producer: Producer) -> Producer:
        if self.wrong is not None:
            raise self.wrong
        return producer

    async def _left_open(
        self, _settings: Settings, partitions: Iterable[int], topics: Iterable[Topic]
    ) -> dict[int, tuple[str, ...]]:
        found = [self.left.get(topic, {}) for topic in topics]
        return {each: places[each] for places in found for each in partitions if each in places}

    async def _take_over(self, _settings: Settings, locks: Mapping[int, Producer], owner: str) -> None:
        assert not any(each.stopped for each in locks.values())
        self.claimed.append((sorted(locks), owner))

    async def _restore(self, _broker: object, _topic: str, partitions: list[int]) -> dict[int, ProfileStore]:
        return {each: ProfileStore() for each in partitions}

    async def _nothing(self, *_: object) -> None: ...


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    return Kafka(monkeypatch)


async def test_an_opening_broken_off_leaves_no_producer(kafka: Kafka) -> None:
    """One partition is locked already and another is not, when the partitions are taken away."""
    kafka.stuck = {1}
    lanes = some_lanes()
    await lanes.on_partitions_assigned(ASSIGNED)
    await asyncio.sleep(0.01)

    await asyncio.wait_for(lanes.on_partitions_revoked([]), 1.0)

    assert kafka.locks[0].stopped
    assert [each.stopped for each in kafka.writers.values()] == [True]
    assert kafka.claimed == []


@pytest.mark.parametrize("wrong", [RuntimeError("broken"), asyncio.CancelledError()], ids=repr)
async def test_a_worker_whose_opening_fails_ends_however_it_fails(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch, wrong: BaseException
) -> None:
    over: list[BaseException] = []
    kafka.wrong = wrong
    monkeypatch.setattr(opening, "give_up", lambda _, error: over.append(error))
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


@pytest.mark.parametrize(("topic", "claimed"), [(Topic.APPROVE, [0, 1]), (Topic.LANE_OWNERS, [0])])
async def test_a_partition_whose_last_transaction_is_left_open_waits_and_no_other_does(
    kafka: Kafka, topic: Topic, claimed: list[int]
) -> None:
    kafka.left[topic] = {1: (f"{topic}-1 from offset 3",)}
    told: list[int] = []
    lanes = some_lanes(told.append)
    lanes._consumer = consumer = Committing()

    with capture_logs() as logged:
        await lanes.on_partitions_assigned(ASSIGNED)
        async with asyncio.timeout(5.0):
            while len(told) < 3:
                await asyncio.sleep(0.001)
            assert [each.partition for each in lanes.states()] == [0]
            assert consumer.held == {TopicPartition("transactions", 1)}
            assert {tuple(partitions) for partitions, _ in kafka.claimed[:1]} == {tuple(claimed)}
            assert (kafka.locks[0].stopped, kafka.locks[1].stopped) == (True, False)
            kafka.left.clear()
            while told[-1] != 0:
                await asyncio.sleep(0.001)
        assert [each.partition for each in lanes.states()] == [0, 1]
        assert consumer.held == set()
        assert set(told[:-1]) == {1}
        assert {owner for _, owner in kafka.claimed} == set(kafka.writers)
        assert not any(each.stopped for each in kafka.writers.values())
        await lanes.on_partitions_revoked([])
    assert all(each.stopped for each in (*kafka.writers.values(), *kafka.locks.values()))
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
