"""What is written of a round: one transaction, each record in its partition; and guards on manners."""

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from rules.decision import Outcome
from streams.broker.topics import name_of
from streams.deciding.batch import Decided, Outgoing
from streams.deciding.writer import WRITES, Writer
from streams.settings import TopicSettings

TOPICS = TopicSettings(prefix="a.")


class Transactions:
    """Remembers them."""

    def __init__(self) -> None:
        self.done: list[dict[TopicPartition, list[Outgoing]]] = []

    async def transact(self, records: dict[TopicPartition, list[Outgoing]]) -> None:
        self.done.append(records)


def outgoing(number: int) -> Outgoing:
    return Outgoing(b"k%d" % number, b"v")


async def test_what_all_lanes_have_decided_is_one_transaction_each_in_its_partition() -> None:
    transactions = Transactions()
    first = Decided(canaries=[outgoing(0)], dead_letters=[outgoing(1)], profiles=[outgoing(2), outgoing(3)])
    first.decisions[Outcome.REVIEW].append(outgoing(4))
    second = Decided(profiles=[outgoing(5)])
    await Writer(TOPICS, transactions).transact(iter([(5, first), (7, second)]))
    assert transactions.done == [
        {
            TopicPartition("a.decisions.review", 5): [outgoing(4)],
            TopicPartition("a.canaries", 5): [outgoing(0)],
            TopicPartition("a.transactions.DLT", 5): [outgoing(1)],
            TopicPartition("a.profiles", 5): [outgoing(2), outgoing(3)],
            TopicPartition("a.profiles", 7): [outgoing(5)],
        }
    ]


async def test_it_writes_to_no_topic_that_is_not_named() -> None:
    transactions = Transactions()
    each = [outgoing(1)]
    everything = Decided(dict.fromkeys(Outcome, each), canaries=each, dead_letters=each, profiles=each)
    await Writer(TOPICS, transactions).transact([(0, everything)])
    [written] = transactions.done
    assert {place.topic for place in written} == {name_of(topic, TOPICS) for topic in WRITES}


# --- manners ---

DECIDING = sorted(Path("streams/deciding").glob("*.py"))
ALWAYS_AWAITED = {
    "send",
    "send_and_wait",
    "begin_transaction",
    "commit_transaction",
    "put",
    "transact",
    "_begin",
    "_write",
    "_end",
}


@pytest.mark.parametrize("module", DECIDING, ids=lambda path: path.stem)
def test_no_send_is_left_unawaited(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    tasks = _tasks(tree)
    awaited = {id(each) for node in ast.walk(tree) if isinstance(node, ast.Await) for each in _awaited_by(node, tasks)}
    forgotten = [
        f"{module}:{node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ALWAYS_AWAITED
        and id(node) not in awaited
    ]
    assert forgotten == []


def _tasks(tree: ast.AST) -> dict[str, ast.expr]:
    """What is begun under a name, to be awaited by it."""
    return {
        ast.unparse(node.targets[0]): node.value.args[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "asyncio.ensure_future"
    }


def _awaited_by(node: ast.Await, tasks: Mapping[str, ast.expr]) -> list[ast.expr]:
    """What is awaited: the call itself, what it gathers, or what was begun under this name."""
    call = node.value
    gathers = isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "gather"
    if gathers and isinstance(call, ast.Call):
        return [call, *call.args]
    return [tasks.get(ast.unparse(call), call)]
