"""The corpus of bad records: each kind is refused for the reason it names."""

import json
from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest
from support.simulated import first

from models.dead_letter import DeadLetterReason
from models.simulator.bad_records import BAD_KINDS, BadKind
from models.simulator.chance import seeded
from models.simulator.damage import as_json, card_number
from models.transaction import Transaction
from streams.wire.codec import MalformedRecord, read_transaction

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
GOOD = msgspec.to_builtins(msgspec.structs.replace(first(1)[0].transaction, event_time=NOW))

at_the_border = pytest.mark.parametrize(
    "kind", [kind for kind in BAD_KINDS if not kind.follows_good], ids=lambda kind: kind.name
)
after_the_good_one = pytest.mark.parametrize(
    "kind", [kind for kind in BAD_KINDS if kind.follows_good], ids=lambda kind: kind.name
)


def passes_luhn(number: str) -> bool:
    doubled = [int(digit) * (place % 2 + 1) for place, digit in enumerate(reversed(number))]
    return sum(digit // 10 + digit % 10 for digit in doubled) % 10 == 0


def test_the_good_record_is_good() -> None:
    assert read_transaction(GOOD["pan_token"].encode(), as_json(GOOD), NOW.timestamp()).event_time == NOW


def test_there_are_many_kinds_with_names_of_their_own_for_every_reason_of_a_payment() -> None:
    of_labels = {DeadLetterReason.LABEL_SOURCE_SILENCED, DeadLetterReason.LABEL_CONTRADICTED}
    assert len({kind.name for kind in BAD_KINDS}) == len(BAD_KINDS) >= 44
    assert set(Counter(kind.reason for kind in BAD_KINDS)) == set(DeadLetterReason) - of_labels


@at_the_border
@pytest.mark.parametrize("seed", range(3))
def test_each_kind_is_refused_for_its_reason(kind: BadKind, seed: int) -> None:
    key, value = kind.make(GOOD, seeded(seed))
    with pytest.raises(MalformedRecord) as refusal:
        read_transaction(key, value, NOW.timestamp())
    assert refusal.value.reason is kind.reason


@after_the_good_one
@pytest.mark.parametrize("seed", range(3))
def test_a_reused_id_is_good_but_for_its_content(kind: BadKind, seed: int) -> None:
    key, value = kind.make(GOOD, seeded(seed))
    again = read_transaction(key, value, NOW.timestamp())
    assert again.transaction_id == GOOD["transaction_id"]
    assert again != msgspec.convert(GOOD, Transaction)


@pytest.mark.parametrize("kind", BAD_KINDS, ids=lambda kind: kind.name)
def test_making_a_bad_record_spares_the_good_one_and_repeats_itself(kind: BadKind) -> None:
    before = json.dumps(GOOD)
    assert kind.make(GOOD, seeded(7)) == kind.make(GOOD, seeded(7))
    assert json.dumps(GOOD) == before


@pytest.mark.parametrize(("prefix", "digits"), [("4", 16), ("37", 15), ("6", 19), ("5", 13)])
def test_card_numbers_pass_luhn(prefix: str, digits: int) -> None:
    rng = seeded(1)
    numbers = [card_number(rng, prefix, digits) for _ in range(50)]
    assert all(len(number) == digits and number.startswith(prefix) and passes_luhn(number) for number in numbers)
