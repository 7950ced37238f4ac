"""A transaction as brokers see it: all of it, once and in order, whatever happens to requests and their answers."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence

import pytest
from aiokafka import TopicPartition, errors
from hypothesis import given
from hypothesis import strategies as st
from support.fake_brokers import FakeBrokers, Fault, Lost

from streams.deciding import transactions as transactions_module
from streams.deciding.batch import Outgoing
from streams.deciding.transactions import RecordTooLarge, Transactions
from streams.settings import LaneSettings

HERE, THERE = TopicPartition("decisions.approve", 2), TopicPartition("profiles", 3)
AT_ONCE = LaneSettings(retry_backoff_ms=1)
LOST: list[Fault | None] = [None, None, Lost.REQUEST, Lost.ANSWER]
OF_COORDINATORS = [*LOST, errors.ConcurrentTransactions, errors.NotCoordinatorError]
OF_LEADERS = [*LOST, errors.NotLeaderForPartitionError, errors.NotEnoughReplicasError]


def outgoing(number: int, size: int = 10) -> Outgoing:
    return Outgoing(b"k%d" % number, b"v" * size, [("h", b"1")])


def some(count: int, size: int = 10) -> list[Outgoing]:
    return [outgoing(number, size) for number in range(count)]


def transactions(brokers: FakeBrokers) -> Transactions:
    return Transactions(AT_ONCE, brokers.producer, ["decisions.approve", "profiles"])


def logged(brokers: FakeBrokers, place: TopicPartition) -> list[tuple[bytes, bytes, list[tuple[str, bytes]]]]:
    return [record for _, batch in brokers.log[place] for record in batch]


def as_logged(records: list[Outgoing]) -> list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]]:
    return [(key, value, [*headers]) for key, value, headers in records]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a thousand bytes."""
    monkeypatch.setattr(transactions_module, "LARGEST_BATCH_BYTES", 1_000)


async def test_partitions_are_added_once_written_and_ended() -> None:
    brokers = FakeBrokers()
    await transactions(brokers).transact({HERE: some(3), THERE: some(2)})
    assert brokers.asked == ["add_partitions", "produce", "produce", "end"]
    assert brokers.committed == [{HERE, THERE}]
    assert logged(brokers, HERE) == as_logged(some(3))
    assert logged(brokers, THERE) == as_logged(some(2))


async def test_partitions_are_asked_for_before_batches_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers, asked = FakeBrokers(), []
    ours = transactions(brokers)
    build = ours._batches_of

    def noted(place: TopicPartition, records: Sequence[Outgoing]) -> Iterator[bytes]:
        asked.append([*brokers.asked])
        return build(place, records)

    monkeypatch.setattr(ours, "_batches_of", noted)
    await ours.transact({HERE: some(1), THERE: some(1)})
    assert asked == [["add_partitions"]] * 2


async def test_one_that_is_cancelled_asks_nobody_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async def asks_for_ever(_places: object) -> None:
        await asyncio.Event().wait()

    ours = transactions(FakeBrokers())
    monkeypatch.setattr(ours, "_begin", asks_for_ever)
    for turns in (1, 2, 3):
        writing = asyncio.create_task(ours.transact({HERE: some(1)}))
        for _ in range(turns):
            await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_no_records_are_no_transaction() -> None:
    brokers = FakeBrokers()
    await transactions(brokers).transact({})
    assert brokers.asked == []


async def test_one_transaction_after_the_other_goes_on_with_the_sequence_of_each_partition() -> None:
    brokers = FakeBrokers()
    ours = transactions(brokers)
    for count in (3, 1, 2):
        await ours.transact({HERE: some(count)})
    await ours.transact({THERE: some(1)})
    assert [sequence for sequence, _ in brokers.log[HERE]] == [0, 3, 4]
    assert [sequence for sequence, _ in brokers.log[THERE]] == [0]


async def test_sequence_numbers_begin_again_before_they_are_too_large() -> None:
    brokers = FakeBrokers()
    ours = transactions(brokers)
    ours._sequences[HERE] = 2**31 - 2
    brokers.log[HERE] = [(2**31 - 2, [])]
    await ours.transact({HERE: some(3)})
    assert ours._sequences[HERE] == 1


@given(
    st.lists(st.sampled_from(OF_COORDINATORS), max_size=8),
    st.lists(st.sampled_from(OF_LEADERS), max_size=8),
    st.integers(1, 3),
    st.integers(1, 4),
)
async def test_what_passes_is_waited_for_and_nothing_is_lost_or_doubled(
    of_coordinator: list[Fault | None], of_leaders: list[Fault | None], rounds: int, count: int
) -> None:
    brokers = FakeBrokers(coordinator_faults=deque(of_coordinator), leader_faults=deque(of_leaders))
    ours = transactions(brokers)
    for _ in range(rounds):
        await ours.transact({HERE: some(count), THERE: some(count)})
    assert brokers.committed == [{HERE, THERE}] * rounds
    assert logged(brokers, HERE) == as_logged(some(count)) * rounds
    assert logged(brokers, THERE) == as_logged(some(count)) * rounds


async def test_who_is_no_leader_any_more_is_not_asked_again_before_metadata_are_new() -> None:
    brokers = FakeBrokers(leader_faults=deque([errors.NotLeaderForPartitionError]))
    await transactions(brokers).transact({HERE: some(1)})
    assert brokers.refreshed
    assert brokers.asked == ["add_partitions", "produce", "produce", "end"]


async def test_a_batch_that_a_leader_has_had_and_forgotten_is_written() -> None:
    brokers = FakeBrokers(leader_faults=deque([errors.DuplicateSequenceNumber]))
    await transactions(brokers).transact({HERE: some(1)})
    assert brokers.asked == ["add_partitions", "produce", "end"]


async def test_only_what_was_refused_is_sent_again() -> None:
    brokers = FakeBrokers(leader_faults=deque([errors.NotEnoughReplicasError, None]))
    await transactions(brokers).transact({HERE: some(1), THERE: some(1)})
    assert brokers.asked == ["add_partitions", "produce", "produce", "produce", "end"]


async def test_a_partition_without_a_leader_is_waited_for() -> None:
    brokers = FakeBrokers(leaderless=3)
    await transactions(brokers).transact({HERE: some(1)})
    assert brokers.asked == ["add_partitions", "produce", "end"]
    assert brokers.refreshed


@pytest.mark.parametrize("moved", [errors.NotCoordinatorError, Lost.REQUEST])
async def test_a_coordinator_that_has_moved_is_looked_for(moved: Fault) -> None:
    brokers = FakeBrokers(coordinator_faults=deque([moved]))
    await transactions(brokers).transact({HERE: some(1)})
    assert brokers.lookups == 2


async def test_a_coordinator_is_looked_for_once() -> None:
    brokers = FakeBrokers(coordinator_faults=deque([errors.ConcurrentTransactions]))
    ours = transactions(brokers)
    await ours.transact({HERE: some(1)})
    await ours.transact({HERE: some(1)})
    assert brokers.lookups == 1


@pytest.mark.parametrize("refused", [errors.InvalidProducerEpoch, errors.TopicAuthorizationFailedError])
@pytest.mark.parametrize("at", [0, 1])
async def test_what_a_coordinator_refuses_for_good_is_raised_and_nothing_more_is_sent(
    at: int, refused: type[errors.KafkaError]
) -> None:
    brokers = FakeBrokers(coordinator_faults=deque([*[None] * at, refused]))
    with pytest.raises(refused):
        await transactions(brokers).transact({HERE: some(1)})
    assert brokers.asked == (["add_partitions"], ["add_partitions", "produce", "end"])[at]
    assert brokers.committed == []


@pytest.mark.parametrize("refused", [errors.OutOfOrderSequenceNumber, errors.MessageSizeTooLargeError])
async def test_what_a_leader_refuses_for_good_is_raised_and_not_committed(refused: type[errors.KafkaError]) -> None:
    brokers = FakeBrokers(leader_faults=deque([refused]))
    with pytest.raises(refused, match=r"decisions\.approve-2"):
        await transactions(brokers).transact({HERE: some(1)})
    assert brokers.asked == ["add_partitions", "produce"]


@pytest.mark.parametrize("of", ["coordinator_faults", "leader_faults"])
async def test_what_the_client_cannot_send_is_raised(of: str) -> None:
    faults: deque[Fault | None] = deque([errors.IncompatibleBrokerVersion])
    with pytest.raises(errors.IncompatibleBrokerVersion):
        await transactions(FakeBrokers(**{of: faults})).transact({HERE: some(1)})


async def test_the_client_is_told_which_topics_to_know() -> None:
    brokers = FakeBrokers()
    transactions(brokers)
    assert brokers.topics == {"decisions.approve", "profiles"}


async def test_who_is_fenced_writes_nothing() -> None:
    brokers = FakeBrokers(fenced=True)
    with pytest.raises(errors.InvalidProducerEpoch):
        await transactions(brokers).transact({HERE: some(1)})
    assert not brokers.log[HERE]


@pytest.mark.usefixtures("small")
async def test_a_batch_is_split_where_it_is_full_and_not_before() -> None:
    brokers = FakeBrokers()
    await transactions(brokers).transact({HERE: some(5, size=400), THERE: some(1)})
    assert [len(batch) for _, batch in brokers.log[HERE]] == [2, 2, 1]
    assert logged(brokers, HERE) == as_logged(some(5, size=400))
    assert brokers.committed == [{HERE, THERE}]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("before", [0, 1])
async def test_a_record_that_fits_no_batch_is_not_sent(before: int) -> None:
    """A builder takes a batch's first record whatever its size."""
    brokers = FakeBrokers()
    with pytest.raises(RecordTooLarge, match=r"decisions\.approve"):
        await transactions(brokers).transact({HERE: [*some(before), outgoing(9, 2_000)]})
    assert "produce" not in brokers.asked
    assert "end" not in brokers.asked


def test_pauses_grow_to_a_quarter_of_a_second() -> None:
    pauses = transactions(FakeBrokers())._pauses()
    assert [next(pauses) for _ in range(11)] == [
        0.001,
        0.002,
        0.004,
        0.008,
        0.016,
        0.032,
        0.064,
        0.128,
        0.25,
        0.25,
        0.25,
    ]
