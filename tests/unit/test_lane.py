"""A lane's writing: whole batches, none lost, all delivered before the commit; and guards on its manners."""

import ast
import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from support.deciding import a_lane, record_of, transaction
from support.fake_consumer import FakeConsumer
from support.fake_producer import FakeProducer

from rules.decision import Outcome
from streams.deciding import lane as lane_module
from streams.deciding.batch import Decided, Outgoing
from streams.deciding.intake import Inlet
from streams.deciding.lane import Lane, RecordTooLarge
from streams.deciding.resumption import note
from streams.settings import Settings

PARTITION = TopicPartition("transactions", 0)


def outgoing(number: int, size: int = 10) -> Outgoing:
    return Outgoing(b"k%d" % number, b"v" * size, [("h", b"1")])


def a_writer(producer: FakeProducer, **others: Any) -> Lane:
    return Lane(
        **{
            "settings": Settings(),
            "inlet": Inlet(PARTITION, FakeConsumer()),
            "producer": producer,
            "state": a_lane(),
            "agent": None,
            "told": lambda *_: None,
            "next": None,
        }
        | others
    )


async def test_a_lane_that_waits_knows_that_it_has_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "WAIT_SECONDS", 0.001)
    lane = a_writer(FakeProducer(1_000), inlet=Inlet(PARTITION, FakeConsumer(8)))
    lane.state.lag, lane._last = 3, 7
    lane.start()
    async with asyncio.timeout(5.0):
        while lane.state.lag:
            await asyncio.sleep(0.001)
    await lane.close()


@given(st.lists(st.integers(0, 400), max_size=40), st.integers(500, 2_000))
async def test_every_record_goes_out_once_in_batches_that_fit(sizes: list[int], batch_size: int) -> None:
    producer = FakeProducer(batch_size)
    futures = await a_writer(producer)._send("t", [outgoing(number, size) for number, size in enumerate(sizes)])
    assert len(futures) == len(producer.sent)
    assert sum(batch.record_count() for _, _, batch in producer.sent) == len(sizes)
    assert all(batch.record_count() for _, _, batch in producer.sent)
    assert all(batch.size() <= batch_size for _, _, batch in producer.sent)
    assert {(topic, partition) for topic, partition, _ in producer.sent} <= {("t", 0)}
    for future in futures:
        await future


async def test_a_batch_is_split_where_it_is_full_and_not_before() -> None:
    producer = FakeProducer(1_000)
    await a_writer(producer)._send("t", [outgoing(number, 400) for number in range(4)])
    assert [batch.record_count() for _, _, batch in producer.sent] == [2, 2]


async def test_nothing_to_send_sends_nothing() -> None:
    producer = FakeProducer(1_000)
    assert await a_writer(producer)._send("t", []) == []
    assert producer.sent == []


@pytest.mark.parametrize("before", [0, 1])
async def test_a_record_that_fits_no_batch_is_not_sent(monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    """aiokafka itself takes a batch's first record whatever its size."""
    monkeypatch.setattr(lane_module, "LARGEST_BATCH_BYTES", 1_000)
    producer = FakeProducer(1_000)
    records = [*(outgoing(number) for number in range(before)), outgoing(9, 2_000)]
    with pytest.raises(RecordTooLarge):
        await a_writer(producer)._send("t", records)
    assert all(batch.size() <= 1_000 for _, _, batch in producer.sent)


async def test_decisions_letters_profiles_and_the_next_offset_are_one_transaction() -> None:
    producer = FakeProducer(10_000)
    decided = Decided(dead_letters=[outgoing(1)], profiles=[outgoing(2)])
    decided.decisions[Outcome.REVIEW].append(outgoing(3))
    writer = a_writer(producer, agent=Agent(decided))
    await writer._decide([record_of(transaction(1), offset=4)])
    assert [topic for topic, _, _ in producer.sent] == ["decisions.review", "transactions.DLT", "profiles"]
    _, _, profiles = producer.sent[-1]
    assert profiles.record_count() == 2  # the card, and what comes next
    assert decided.profiles[-1] == note(5)
    assert (producer.done[0], producer.done[-1]) == ("begin", "commit")
    assert producer.done.count("delivered") == 3
    assert writer.next == 5


async def test_nothing_is_committed_that_was_not_delivered() -> None:
    producer = FakeProducer(10_000)
    producer.failure = ConnectionError("broker")
    with pytest.raises(ConnectionError):
        await a_writer(producer)._commit(Decided(dead_letters=[outgoing(1)]))
    assert "commit" not in producer.done


async def test_what_was_not_committed_is_not_said_to_be() -> None:
    producer = FakeProducer(10_000)
    producer.failure = ConnectionError("broker")
    writer = a_writer(producer, agent=Agent(Decided(dead_letters=[outgoing(1)])), next=3)
    with pytest.raises(ConnectionError):
        await writer._decide([record_of(transaction(1), offset=4)])
    assert writer.next == 3


async def test_nothing_is_sent_or_committed_of_a_batch_that_could_not_be_decided() -> None:
    producer = FakeProducer(10_000)
    writer = a_writer(producer, agent=Agent(ValueError("judgement")))
    with pytest.raises(ValueError, match="judgement"):
        await writer._decide([record_of(transaction(1), offset=7)])
    assert (producer.sent, "commit" in producer.done) == ([], False)


class Agent:
    """Decides as told, else that all are duplicates, and remembers how far the lane was behind."""

    def __init__(self, answer: Decided | Exception | None = None) -> None:
        self.answer = answer
        self.lags: list[int] = []

    async def ask(self, lane: Any, records: Any, timeout_seconds: float) -> Decided:
        self.lags.append(lane.lag)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or Decided(duplicates=len(records))


@pytest.mark.parametrize(("end", "lag"), [(8, 0), (108, 100), (None, 0), (3, 0)])
async def test_a_lane_knows_how_far_it_is_behind_and_tells_after_the_commit(end: int | None, lag: int) -> None:
    producer, agent, told = FakeProducer(10_000), Agent(), []
    writer = a_writer(
        producer,
        inlet=Inlet(PARTITION, FakeConsumer(end)),
        agent=agent,
        told=lambda state, batch: told.append((producer.done[-1], batch.duplicates)),
    )
    await writer._decide([record_of(transaction(1), offset=offset) for offset in (6, 7)])
    assert (agent.lags, told) == ([lag], [("commit", 2)])
    assert writer.next == 8


# --- manners ---

DECIDING = sorted(Path("streams/deciding").glob("*.py"))
ALWAYS_AWAITED = {
    "send",
    "send_and_wait",
    "send_batch",
    "begin_transaction",
    "commit_transaction",
    "put",
    "_dispatch",
    "_commit",
}


@pytest.mark.parametrize("module", DECIDING, ids=lambda path: path.stem)
def test_no_send_is_left_unawaited(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    awaited = {id(each) for node in ast.walk(tree) if isinstance(node, ast.Await) for each in _awaited_by(node)}
    forgotten = [
        f"{module}:{node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ALWAYS_AWAITED
        and id(node) not in awaited
    ]
    assert forgotten == []


def _awaited_by(node: ast.Await) -> list[ast.expr]:
    """What is awaited: the call itself, and what it gathers."""
    call = node.value
    gathers = isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "gather"
    return [call, *call.args] if gathers and isinstance(call, ast.Call) else [call]
