"""What a worker knows: a record that cannot be read leaves what was known, and is no reason to stop."""

import json
from datetime import UTC, datetime

import pytest
from support.deciding import default_rules

from streams.deciding.knowledge import Knowledge
from streams.wire.control import Force, ModeOrder, write_order
from streams.wire.scorer_fault import FaultKind, ScorerFault
from streams.wire.snapshot_record import CANDIDATE, CHAMPION, SnapshotRecord, write_snapshot

NONSENSE = [b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff", b"[" * 100_000, b"{}"]


class Told:
    def __init__(self) -> None:
        self.snapshots: list[datetime] = []
        self.faults: list[ScorerFault] = []
        self.rulesets: list[str | None] = []
        self.orders: list[ModeOrder] = []
        self.knowledge = Knowledge(
            default_rules(),
            on_snapshot=lambda champion: self.snapshots.append(champion.created_at),
            on_fault=self.faults.append,
            on_ruleset=self.rulesets.append,
            on_order=self.orders.append,
        )


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: value[:8])
async def test_nonsense_on_any_topic_leaves_what_was_known(told: Told, value: bytes) -> None:
    known = told.knowledge
    known.card_frauds["c-1"] = 5.0
    known.take_model(CHAMPION, value)
    known.take_merchant(b"m-1", value)
    known.take_card(b"c-1", value)
    await known.take_rules(b"active", value)
    known.take_control(b"other", value)
    assert known.card_frauds == {"c-1": 5.0}
    assert told.orders == []
    assert known.merchants == {}
    assert known.ruleset is default_rules()
    assert told.snapshots == []
    assert None not in told.rulesets


@pytest.mark.parametrize("value", [each for each in NONSENSE if each != b"{}"], ids=str)
def test_an_order_that_cannot_be_read_changes_nothing(told: Told, value: bytes) -> None:
    told.knowledge.take_control(b"mode", value)
    told.knowledge.take_control(b"fault", value)
    assert told.orders == []


@pytest.mark.parametrize("value", [None, b"{}", b'{"why": "over"}'], ids=str)
def test_an_order_without_force_gives_the_word_back(told: Told, value: bytes | None) -> None:
    told.knowledge.take_control(b"mode", value)
    assert [order.force for order in told.orders] == [None]


@pytest.mark.parametrize(
    "wrong", [{"force": "model"}, {"force": "both"}, {"force": "rules", "until": "noon"}, {"force": "rules", "who": 7}]
)
def test_an_order_that_must_not_be_is_not_obeyed(told: Told, wrong: dict[str, object]) -> None:
    told.knowledge.take_control(b"mode", json.dumps(wrong).encode())
    assert told.orders == []


def test_an_order_is_read_as_it_was_written(told: Told) -> None:
    until = datetime(2026, 11, 21, 12, tzinfo=UTC)
    order = ModeOrder(force=Force.MODEL, who="ada", why="false alarm", until=until)
    told.knowledge.take_control(b"mode", write_order(order))
    assert told.orders == [order]


def test_only_the_champion_is_scored_with(told: Told) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    record = write_snapshot(SnapshotRecord(created_at=now, snapshot={"labels": 1}))
    told.knowledge.take_model(CANDIDATE, record)
    assert told.snapshots == []
    told.knowledge.take_model(CHAMPION, record)
    assert told.snapshots == [now]


def test_a_card_is_known_for_fraud_until_it_is_taken_back(told: Told) -> None:
    told.knowledge.take_card(b"c-1", b'{"fraud_at": 7.5}')
    assert told.knowledge.card_frauds == {"c-1": 7.5}
    told.knowledge.take_card(b"c-1", None)
    assert told.knowledge.card_frauds == {}


async def test_a_sound_rule_set_is_taken_whole_and_a_faulty_one_not_at_all(told: Told) -> None:
    await told.knowledge.take_rules(b"active", b'name = "mine"\nversion = "9"\n[[rule]]\n')
    assert told.knowledge.ruleset is default_rules()
    await told.knowledge.take_rules(
        b"active",
        b'name = "mine"\nversion = "9"\n[[rule]]\nid = "a"\nif = "amount_minor > 5"\noutcome = "review"\n'
        b'reason = "AMOUNT_LIMIT"\n',
    )
    assert told.knowledge.ruleset.version == "9"
    assert [refusal is None for refusal in told.rulesets] == [False, True]


def test_a_fault_is_handed_on(told: Told) -> None:
    told.knowledge.take_control(b"fault", b'{"delay_ms": 80}')
    told.knowledge.take_control(b"fault", b'{"kind": "nan", "lasting": false, "who": "ada"}')
    told.knowledge.take_control(b"fault", None)
    assert told.faults == [
        ScorerFault(delay_ms=80),
        ScorerFault(kind=FaultKind.NAN, lasting=False, who="ada"),
        ScorerFault(kind=FaultKind.NONE),
    ]
