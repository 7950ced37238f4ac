"""What is written of a round: whole batches, none lost, all delivered before the commit; and guards on manners."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_producer import FakeProducer

from rules.decision import Outcome
from streams.deciding import writer as writer_module
from streams.deciding.batch import Decided, Outgoing
from streams.deciding.writer import RecordTooLarge, Writer
from streams.settings import Settings

PARTITION = 3


def outgoing(number: int, size: int = 10) -> Outgoing:
    return Outgoing(b"k%d" % number, b"v" * size, [("h", b"1")])


def a_writer(producer: FakeProducer) -> Writer:
    return Writer(Settings(), producer)


@given(st.lists(st.integers(0, 400), max_size=40), st.integers(500, 2_000))
async def test_every_record_goes_out_once_in_batches_that_fit(sizes: list[int], batch_size: int) -> None:
    producer = FakeProducer(batch_size)
    sent = [outgoing(number, size) for number, size in enumerate(sizes)]
    futures = await a_writer(producer)._send("t", PARTITION, sent)
    assert len(futures) == len(producer.sent)
    assert sum(batch.record_count() for _, _, batch in producer.sent) == len(sizes)
    assert all(batch.record_count() for _, _, batch in producer.sent)
    assert all(batch.size() <= batch_size for _, _, batch in producer.sent)
    assert {(topic, partition) for topic, partition, _ in producer.sent} <= {("t", PARTITION)}
    for future in futures:
        await future


async def test_a_batch_is_split_where_it_is_full_and_not_before() -> None:
    producer = FakeProducer(1_000)
    await a_writer(producer)._send("t", PARTITION, [outgoing(number, 400) for number in range(4)])
    assert [batch.record_count() for _, _, batch in producer.sent] == [2, 2]


@pytest.mark.parametrize("before", [0, 1])
async def test_a_record_that_fits_no_batch_is_not_sent(monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    """aiokafka itself takes a batch's first record whatever its size."""
    monkeypatch.setattr(writer_module, "LARGEST_BATCH_BYTES", 1_000)
    producer = FakeProducer(1_000)
    records = [*(outgoing(number) for number in range(before)), outgoing(9, 2_000)]
    with pytest.raises(RecordTooLarge):
        await a_writer(producer)._send("t", PARTITION, records)
    assert all(batch.size() <= 1_000 for _, _, batch in producer.sent)


async def test_what_all_lanes_have_decided_is_one_transaction_each_in_its_partition() -> None:
    producer = FakeProducer(10_000)
    first = Decided(dead_letters=[outgoing(1)], profiles=[outgoing(2)])
    first.decisions[Outcome.REVIEW].append(outgoing(3))
    second = Decided(profiles=[outgoing(4)])
    await a_writer(producer).transact([(5, first), (7, second)])
    assert [(topic, partition) for topic, partition, _ in producer.sent] == [
        ("decisions.review", 5),
        ("transactions.DLT", 5),
        ("profiles", 5),
        ("profiles", 7),
    ]
    assert producer.done == ["begin", *["delivered"] * 4, "commit"]


async def test_nothing_is_committed_that_was_not_delivered() -> None:
    producer = FakeProducer(10_000)
    producer.failure = ConnectionError("broker")
    with pytest.raises(ConnectionError):
        await a_writer(producer).transact([(0, Decided(dead_letters=[outgoing(1)]))])
    assert "commit" not in producer.done


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
    "transact",
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
