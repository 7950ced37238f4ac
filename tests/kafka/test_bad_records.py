"""Every kind of bad record among good traffic: a dead letter each, as it came, and nobody else suffers."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

import msgspec
import pytest
from confluent_kafka import KafkaError, Message
from support.outside import Outside, outside_of
from support.processes import Running, running_worker
from support.simulated import first

from models.dead_letter import DeadLetterReason
from models.simulator.bad_records import BAD_KINDS
from models.transaction import Transaction
from streams.auditing.audit import Audit
from streams.broker.topics import DECISIONS, Topic
from streams.wire.card_guard import mask
from streams.wire.codec import write_transaction
from streams.wire.dead_letter import DeadLetterReport, read_dead_letter

pytestmark = pytest.mark.kafka

GOOD_FOR_EACH_BAD = 19  # one in twenty is bad
DIGITS = re.compile(r"\d{13,19}")

Place = tuple[int, int]  # partition and offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A bad record as it was sent."""

    kind: str
    reason: DeadLetterReason
    key: bytes | None
    value: bytes | None


@dataclass(slots=True)
class Story:
    """What was sent, and what became of it."""

    good: list[Transaction] = field(default_factory=list)
    bad: dict[Place, Sent] = field(default_factory=dict)
    letters: list[DeadLetterReport] = field(default_factory=list)
    decided: Counter[str] = field(default_factory=Counter)
    opened: set[str] = field(default_factory=set)
    audit: Audit | None = None
    worker: Running | None = None


@pytest.fixture(scope="module")
def story(bootstrap: str) -> Iterator[Story]:
    with (
        outside_of(bootstrap, "bad-records.") as outside,
        running_worker(bootstrap, outside.prefix, **outside.variables()) as worker,
    ):
        told = Story(worker=worker)
        send_all(outside, told)
        told.audit = outside.audit()
        told.decided.update(
            msgspec.json.decode(each.value())["transaction_id"] for each in outside.all_of(*DECISIONS.values())
        )
        told.letters = [
            read_dead_letter(each.key(), each.value(), each.headers() or [])
            for each in outside.all_of(Topic.DEAD_LETTERS)
        ]
        outside.until(lambda: bool(outside.alerts("input") and outside.alerts("transaction-ids")))
        told.opened = {each["reason"] for part in ("input", "transaction-ids") for each in outside.alerts(part)}
        yield told


def send_all(outside: Outside, story: Story) -> None:
    traffic = iter(first(len(BAD_KINDS) * GOOD_FOR_EACH_BAD))
    for number, kind in enumerate(BAD_KINDS):
        for _ in range(GOOD_FOR_EACH_BAD):
            good = next(traffic).transaction
            story.good.append(good)
            outside.send(write_transaction(good), key=good.pan_token.encode())
        if not kind.follows_good:
            good = msgspec.structs.replace(good, transaction_id=f"bad-{number}", event_time=datetime.now(UTC))
        key, value = kind.make(msgspec.to_builtins(good), Random(number))
        send_bad(outside, story, Sent(kind=kind.name, reason=kind.reason, key=key, value=value))
    tombstone = Sent(kind="tombstone without key", reason=DeadLetterReason.EMPTY_VALUE, key=None, value=None)
    send_bad(outside, story, tombstone)
    outside.flush()


def send_bad(outside: Outside, story: Story, sent: Sent) -> None:
    def told(error: KafkaError | None, message: Message) -> None:
        assert error is None, (sent.kind, error)
        story.bad[message.partition(), message.offset()] = sent

    outside.send(sent.value, key=sent.key, told=told)


def test_each_bad_record_is_one_dead_letter_with_its_reason(story: Story) -> None:
    assert len(story.bad) == len(BAD_KINDS) + 1
    assert Counter((each.record.partition, each.record.offset) for each in story.letters) == Counter(story.bad.keys())
    said = {(each.record.partition, each.record.offset): each.reason for each in story.letters}
    assert {sent.kind: said[place] for place, sent in story.bad.items()} == {
        sent.kind: sent.reason for sent in story.bad.values()
    }


def test_dead_letters_have_the_original_bytes(story: Story) -> None:
    for letter in story.letters:
        sent = story.bad[letter.record.partition, letter.record.offset]
        if sent.reason is not DeadLetterReason.CARD_NUMBER_PRESENT:
            assert (letter.record.key, letter.record.value, letter.masked) == (sent.key, sent.value, 0), sent.kind


def test_no_dead_letter_has_a_card_number(story: Story) -> None:
    with_numbers = [each for each in story.letters if each.reason is DeadLetterReason.CARD_NUMBER_PRESENT]
    assert len(with_numbers) == 12
    for letter in with_numbers:
        sent = story.bad[letter.record.partition, letter.record.offset]
        assert sent.value is not None
        assert letter.record.value == mask(sent.value)[0]
        assert letter.masked >= 1
        assert card_numbers(sent.value, sent.key)
        assert not card_numbers(letter.record.value, letter.record.key), sent.kind


def card_numbers(*written: bytes | None) -> list[str]:
    """Card numbers in bytes, however they are spaced or escaped; found by other means than the product's own."""
    text = " | ".join((each or b"").decode() for each in written)
    text = re.sub(r"\\u00(..)", lambda code: chr(int(code[1], 16)), text)
    return [number for number in DIGITS.findall(re.sub(r"(?<=\d)[ -](?=\d)", "", text)) if passes_luhn(number)]


def passes_luhn(number: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number)))
    return sum(sum(divmod(digit, 10)) for digit in doubled) % 10 == 0


def test_large_records_and_keyless_tombstones_are_among_them(story: Story) -> None:
    sizes = {sent.kind: len(sent.value or b"") for sent in story.bad.values()}
    assert sizes["nine hundred kilobytes"] > 900_000
    assert (None, None) in [(letter.record.key, letter.record.value) for letter in story.letters]


def test_good_transactions_among_them_are_all_decided_once(story: Story) -> None:
    assert story.decided == Counter(each.transaction_id for each in story.good)


def test_every_record_ends_exactly_once(story: Story) -> None:
    assert story.audit is not None
    ledger = story.audit.ledger
    assert story.audit.holds
    assert ledger.in_flight == 0
    assert (ledger.decided, ledger.dead_letters, ledger.duplicates) == (len(story.good), len(story.bad), 0)


def test_the_worker_takes_it_all_without_a_restart(story: Story) -> None:
    assert story.worker is not None
    assert story.worker.alive()
    assert story.worker.said().count('"lanes_open"') == 1


def test_people_hear_of_bad_records_and_of_reused_ids(story: Story) -> None:
    assert story.opened == {"DEAD_LETTER", "ID_REUSED"}
