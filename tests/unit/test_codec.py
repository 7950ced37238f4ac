"""Bytes become a checked record or a refusal with its reason; nothing else ever comes of them."""

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, structs
from support.wire_samples import (
    BROKER_TIME,
    CARD_NUMBER,
    EVENT_TIME,
    KEY,
    a_complaint,
    a_decision,
    a_label,
    a_mode_event,
    an_alert_event,
    an_information_answer,
    transaction_bytes,
    transaction_document,
    without,
)

from models.dead_letter import DeadLetterReason as Reason
from models.score import Contribution
from models.simulator.bad_records import BAD_KINDS, BadKind
from models.transaction import Channel, Transaction
from streams.wire import codec
from streams.wire.alert import read_alert, write_alert
from streams.wire.card_guard import holds_card_number, mask
from streams.wire.codec import (
    MAX_VALUE_BYTES,
    MalformedRecord,
    content_fingerprint,
    read_answer,
    read_complaint,
    read_decision,
    read_label,
    read_transaction,
    write_answer,
    write_complaint,
    write_decision,
    write_label,
    write_transaction,
)
from streams.wire.decision_line import features_told, numbers, write_line
from streams.wire.mode_event import read_mode_event, write_mode_event

REQUIRED = ("transaction_id", "event_time", "pan_token", "amount_minor", "currency", "merchant_id")


def read(value: bytes | None, key: bytes | None = KEY) -> Transaction:
    return read_transaction(key, value, BROKER_TIME)


def refusal(value: bytes | None, key: bytes | None = KEY) -> MalformedRecord:
    with pytest.raises(MalformedRecord) as caught:
        read(value, key)
    return caught.value


def test_a_good_record_becomes_a_transaction() -> None:
    transaction = read(transaction_bytes())
    assert transaction.amount_minor == 12345
    assert transaction.channel is Channel.ECOMMERCE
    assert transaction.event_time == EVENT_TIME


def test_a_transaction_written_is_read_as_the_same() -> None:
    transaction = read(transaction_bytes(terminal_id=None))
    assert read(write_transaction(transaction)) == transaction


def test_required_fields_alone_are_enough() -> None:
    document = transaction_document()
    assert read(orjson.dumps({name: document[name] for name in REQUIRED})).mcc is None


def test_unknown_fields_are_ignored() -> None:
    assert read(transaction_bytes(loyalty={"tier": [1, None, 2.5]})) == read(transaction_bytes())


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_field_is_named(name: str) -> None:
    refused = refusal(orjson.dumps(without(transaction_document(), name)))
    assert refused.reason is Reason.MISSING_FIELD
    assert name in refused.detail


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount_minor": True}, Reason.WRONG_TYPE),
        ({"amount_minor": 1.0}, Reason.WRONG_TYPE),
        ({"amount_minor": "1"}, Reason.WRONG_TYPE),
        ({"amount_minor": None}, Reason.WRONG_TYPE),
        ({"amount_minor": 0}, Reason.AMOUNT_OUT_OF_RANGE),
        ({"amount_minor": -1}, Reason.AMOUNT_OUT_OF_RANGE),
        ({"amount_minor": 10**12 + 1}, Reason.AMOUNT_OUT_OF_RANGE),
        ({"amount_minor": 2**64 - 1}, Reason.AMOUNT_OUT_OF_RANGE),
        ({"amount_minor": 1e30}, Reason.AMOUNT_OUT_OF_RANGE),  # as an integer of 31 digits is read
        ({"event_time": 1767323045}, Reason.WRONG_TYPE),
        ({"event_time": "yesterday"}, Reason.EVENT_TIME_INVALID),
        ({"event_time": "2026-13-02T03:04:05Z"}, Reason.EVENT_TIME_INVALID),
        ({"event_time": "2026-01-02T03:04:05"}, Reason.EVENT_TIME_INVALID),
        ({"event_time": "0001-01-01T00:00:00+14:00"}, Reason.EVENT_TIME_INVALID),
        ({"event_time": "9999-12-31T23:59:59-14:00"}, Reason.EVENT_TIME_INVALID),
        ({"currency": "eur"}, Reason.INVALID_VALUE),
        ({"currency": "EUR\n"}, Reason.INVALID_VALUE),
        ({"mcc": 5411}, Reason.WRONG_TYPE),
        ({"channel": "carrier pigeon"}, Reason.INVALID_VALUE),
        ({"transaction_id": ""}, Reason.INVALID_VALUE),
        ({"transaction_id": "x" * 65}, Reason.INVALID_VALUE),
        ({"merchant_id": "m\x00"}, Reason.INVALID_VALUE),
        ({"schema_version": 2}, Reason.UNKNOWN_SCHEMA_VERSION),
        ({"schema_version": 0}, Reason.UNKNOWN_SCHEMA_VERSION),
        ({"schema_version": "1"}, Reason.WRONG_TYPE),
        ({"schema_version": True}, Reason.WRONG_TYPE),
        ({"cardholder": f"Ada {CARD_NUMBER}"}, Reason.CARD_NUMBER_PRESENT),
        ({"pan_token": CARD_NUMBER}, Reason.CARD_NUMBER_PRESENT),
    ],
)
def test_a_wrong_field_has_its_reason(changes: dict[str, Any], reason: Reason) -> None:
    refused = refusal(transaction_bytes(**changes))
    assert refused.reason is reason
    assert reason is Reason.CARD_NUMBER_PRESENT or next(iter(changes)) in refused.detail


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.EMPTY_VALUE),
        (b"", Reason.EMPTY_VALUE),
        (transaction_bytes(padding="x" * MAX_VALUE_BYTES), Reason.TOO_LARGE),
        (b'{"transaction_id": "\xff"}', Reason.NOT_UTF8),
        (b"\x1f\x8b\x08\x00", Reason.NOT_UTF8),
        (transaction_bytes()[:-7], Reason.NOT_JSON),
        (b" ", Reason.NOT_JSON),
        (b'{"amount_minor": NaN}', Reason.NOT_JSON),
        (b'{"amount_minor": 1' + b"0" * 400 + b"}", Reason.NOT_JSON),
        (b'{"rrn": "\\ud800"}', Reason.NOT_JSON),
        (b'{"rrn": "\x00"}', Reason.NOT_JSON),
        (b"\xef\xbb\xbf{}", Reason.NOT_JSON),
        (b"[" * 50_000, Reason.NOT_JSON),
        (b'{"x":' * 10_000 + b"1" + b"}" * 10_000, Reason.NOT_JSON),
        (b"[]", Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        (b'"text"', Reason.NOT_AN_OBJECT),
        (b"{}", Reason.MISSING_FIELD),
        (b'{"x":' + b"[" * 1000 + b"]" * 1000 + b"}", Reason.MISSING_FIELD),
    ],
)
def test_what_is_no_record_at_all_has_its_reason(value: bytes | None, reason: Reason) -> None:
    assert refusal(value).reason is reason


def test_nesting_of_a_hundred_thousand_is_refused_for_its_size() -> None:
    assert refusal(b"[" * 100_000 + b"]" * 100_000).reason is Reason.TOO_LARGE


def test_a_record_of_just_64_kib_is_read() -> None:
    room = MAX_VALUE_BYTES - len(transaction_bytes(padding=""))
    value = transaction_bytes(padding="x" * room)
    assert len(value) == MAX_VALUE_BYTES
    assert read(value) == read(transaction_bytes())
    assert refusal(value + b" ").reason is Reason.TOO_LARGE


@pytest.mark.parametrize("key", [None, b"", b"tok_other", KEY + b"\xff", KEY.upper()])
def test_the_key_must_be_the_pan_token(key: bytes | None) -> None:
    assert refusal(transaction_bytes(), key).reason is Reason.KEY_MISMATCH


def test_five_minutes_ahead_is_allowed_and_a_millisecond_more_is_not() -> None:
    broker_time = EVENT_TIME.replace(microsecond=0).timestamp()
    allowed = transaction_bytes(event_time="2026-01-02T03:09:05Z")
    too_far = transaction_bytes(event_time="2026-01-02T03:09:05.001Z")
    assert read_transaction(KEY, allowed, broker_time)
    with pytest.raises(MalformedRecord, match=Reason.EVENT_TIME_IN_FUTURE):
        read_transaction(KEY, too_far, broker_time)


def test_times_are_given_in_utc_whatever_their_offset() -> None:
    transaction = read(transaction_bytes(event_time="2026-01-02T05:04:05.678+02:00"))
    assert transaction.event_time == EVENT_TIME
    assert transaction.event_time.tzinfo is UTC


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": "SECRET"},
        {"channel": "SECRET` - at `$.amount_minor"},
        {"channel": "Expected `int` >= 1 - at `$.SECRET`"},
        {"currency": "SECRET"},
        {"event_time": "SECRET"},
        {"merchant_id": {"SECRET": 1}},
        {"SECRET": 1, "currency": 5},
    ],
)
def test_a_refusal_holds_no_value_of_the_record(changes: dict[str, Any]) -> None:
    refused = refusal(transaction_bytes(**changes))
    assert "SECRET" not in str(refused)
    assert refused.__context__ is None


def test_broken_text_is_refused_without_quoting_it() -> None:
    refused = refusal(b'{"name": "SECRET", "x": }')
    assert "SECRET" not in str(refused)
    assert refused.__context__ is None


@pytest.mark.parametrize("kind", [kind for kind in BAD_KINDS if not kind.follows_good], ids=lambda kind: kind.name)
def test_every_known_kind_of_bad_record_has_its_reason(kind: BadKind) -> None:
    for seed in range(5):
        key, value = kind.make(transaction_document(), Random(seed))
        assert refusal(value, key).reason is kind.reason


@pytest.mark.parametrize("kind", [kind for kind in BAD_KINDS if kind.follows_good], ids=lambda kind: kind.name)
def test_an_id_with_other_content_is_told_by_its_fingerprint(kind: BadKind) -> None:
    good = read(transaction_bytes())
    key, value = kind.make(transaction_document(), Random(1))
    other = read(value, key)
    assert other.transaction_id == good.transaction_id
    assert content_fingerprint(other) != content_fingerprint(good)


@pytest.mark.parametrize("kind", BAD_KINDS, ids=lambda kind: kind.name)
def test_no_dead_letter_of_a_bad_record_holds_a_card_number(kind: BadKind) -> None:
    _, value = kind.make(transaction_document(), Random(2))
    masked, count = mask(value or b"")
    assert not holds_card_number(masked)
    assert (count > 0) == (kind.reason is Reason.CARD_NUMBER_PRESENT)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(key=st.none() | st.binary(max_size=20), value=st.none() | st.binary(max_size=300))
def test_any_bytes_give_a_transaction_or_a_reason(key: bytes | None, value: bytes | None) -> None:
    assert refusal(value, key).reason in Reason


@given(
    value=st.sampled_from([transaction_bytes(), transaction_bytes(note='é"\n\\')]),
    at=st.integers(0, 540),
    junk=st.binary(max_size=4) | st.sampled_from([b"\\", b"\\u00", b"\\ud800", b"\\u0000", b"\xe2\x82\xac"]),
    cut=st.integers(0, 4),
)
def test_any_damage_to_a_record_gives_a_transaction_or_a_reason(value: bytes, at: int, junk: bytes, cut: int) -> None:
    assert outcome_of(value[:at] + junk + value[at + cut :]) in ("read", *Reason)


@given(name=st.sampled_from(sorted(transaction_document())), value=json_values)
def test_any_value_in_any_field_gives_a_transaction_or_a_reason(name: str, value: object) -> None:
    try:
        record = transaction_bytes(**{name: value})
    except TypeError:  # an integer beyond 64 bits
        record = str(transaction_document(**{name: value})).replace("'", '"').encode(errors="replace")
    assert outcome_of(record) in ("read", *Reason)


def outcome_of(value: bytes) -> str:
    """What comes of it; and what is read at once is what the long way would have read."""
    at_once = codec._read_at_once(value)
    try:
        long_way = codec._read_piecemeal(value)
    except MalformedRecord:
        long_way = None
    assert at_once is None or at_once == long_way
    try:
        read(value)
    except MalformedRecord as refused:
        return refused.reason
    return "read"


def test_an_ordinary_record_is_read_at_once_and_one_that_is_not_the_long_way() -> None:
    escaped = transaction_bytes().replace(b'"EUR"', b'"\\u0045UR"')
    spared = transaction_bytes(note="0000000000000000", digest="4111111111111111abcdefab")
    for ordinary in (transaction_bytes(), escaped, transaction_bytes(note="é"), transaction_bytes(note='"\n'), spared):
        assert codec._read_at_once(ordinary) == read(transaction_bytes())
    unusual = transaction_bytes(padding="\0")
    assert codec._read_at_once(unusual) is None
    assert read(unusual) == read(transaction_bytes())


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (rb"a\xb", Reason.NOT_JSON),
        (rb"a\u12", Reason.NOT_JSON),
        (rb"\ud800", Reason.NOT_JSON),
        (b"caf\xe9", Reason.NOT_UTF8),
        (rb"4111\u00201111\u00201111\u00201111", Reason.CARD_NUMBER_PRESENT),
        ("é 4111111111111111".encode(), Reason.CARD_NUMBER_PRESENT),
    ],
)
def test_what_is_wrong_in_a_field_that_nobody_reads_is_found_all_the_same(written: bytes, reason: Reason) -> None:
    assert refusal(transaction_bytes(note="...").replace(b"...", written)).reason is reason


@pytest.mark.parametrize("name", ["transaction_id", "terminal_id", "mcc"])
@pytest.mark.parametrize("value", ["\0", "", "\n", "t-1\n", "\nt-1", "\0\0"])
def test_no_character_stands_for_a_text_that_is_not_there(name: str, value: str) -> None:
    refused = refusal(transaction_bytes(**{name: value}))
    assert refused.reason is Reason.INVALID_VALUE
    assert refused.detail.startswith(f"{name}: Expected `str` matching regex")


def test_the_same_content_has_the_same_fingerprint_however_it_is_written() -> None:
    document = transaction_document(terminal_id=None)
    turned = dict(reversed(without(document, "terminal_id").items()))
    turned |= {"event_time": "2026-01-02T04:04:05.678000+01:00", "schema_version": 1, "unknown": 1}
    spaced = orjson.dumps(turned, option=orjson.OPT_INDENT_2)
    assert content_fingerprint(read(spaced)) == content_fingerprint(read(orjson.dumps(document)))


@pytest.mark.parametrize("name", sorted(transaction_document()))
def test_a_change_of_any_field_changes_the_fingerprint(name: str) -> None:
    other = {
        "transaction_id": "t-2",
        "event_time": "2026-01-02T03:04:05.679Z",
        "pan_token": "tok_2",
        "amount_minor": 12346,
        "currency": "USD",
        "merchant_id": "m-2",
        "channel": "moto",
    }
    changed = transaction_document(**{name: other.get(name)})
    key = changed["pan_token"].encode()
    assert content_fingerprint(read(orjson.dumps(changed), key)) != content_fingerprint(read(transaction_bytes()))


def test_fingerprints_are_the_same_in_every_release() -> None:
    """Profiles on the topic hold them: whoever must change this figure makes repeats look like contradictions."""
    document = transaction_document()
    assert content_fingerprint(read(orjson.dumps(document))) == 2_942_786_791
    assert content_fingerprint(read(orjson.dumps({name: document[name] for name in REQUIRED}))) == 3_147_345_495


def test_a_label_written_is_read_as_the_same() -> None:
    assert read_label(write_label(a_label())) == a_label()


def test_label_times_are_given_in_utc() -> None:
    document = orjson.loads(write_label(a_label())) | {"received_at": "2026-01-02T05:04:05.678+02:00"}
    received_at = read_label(orjson.dumps(document)).received_at
    assert received_at == EVENT_TIME
    assert received_at.tzinfo is UTC


def test_a_label_with_a_card_number_is_refused() -> None:
    document = orjson.loads(write_label(a_label())) | {"note": CARD_NUMBER}
    with pytest.raises(MalformedRecord, match=Reason.CARD_NUMBER_PRESENT):
        read_label(orjson.dumps(document))


def test_a_label_of_unknown_source_is_refused() -> None:
    document = orjson.loads(write_label(a_label())) | {"source": "rumour"}
    with pytest.raises(MalformedRecord, match=r"INVALID_VALUE: source: not one of"):
        read_label(orjson.dumps(document))


def test_a_decision_written_is_read_as_the_same() -> None:
    assert read_decision(write_decision(a_decision())) == a_decision()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2), st.datetimes())
def test_numbers_and_times_of_a_decision_survive_bit_by_bit(numbers: list[float], moment: datetime) -> None:
    contributions = (Contribution(feature="amount", log_odds=numbers[0]),)
    decision = structs.replace(
        a_decision(), features=tuple(numbers), contributions=contributions, decided_at=moment.replace(tzinfo=UTC)
    )
    document = json.loads(write_decision(decision))
    assert document["features"] == numbers
    assert document["contributions"] == [{"feature": "amount", "log_odds": numbers[0]}]
    assert datetime.fromisoformat(document["decided_at"]) == decision.decided_at
    assert read_decision(write_decision(decision)) == decision


@pytest.mark.parametrize("card_history", [UNSET, a_decision().card_history])
def test_a_line_is_the_decision_of_the_same_values(card_history: object) -> None:
    decision = structs.replace(a_decision(), card_history=card_history)
    assert write_line(*structs.astuple(decision)) == write_decision(decision)
    (row,) = numbers(np.array([decision.features]))
    told = structs.replace(decision, features=features_told(row))
    assert read_decision(write_line(*structs.astuple(told))) == decision


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9), st.integers(0, 4))
def test_numbers_of_a_batch_survive_bit_by_bit(row: list[float], rows: int) -> None:
    told = numbers(np.array([row] * rows))
    assert [json.loads(b"[%b]" % each) for each in told] == [row] * rows


def test_a_decision_is_plain_json_for_others() -> None:
    document = orjson.loads(write_decision(a_decision()))
    assert document["outcome"] == "review"
    assert document["reason_codes"] == ["HIGH_VELOCITY", "AMOUNT_ABOVE_NORM"]
    assert document["features"] == [0.1, 1.0, -3.5]
    assert document["decided_at"] == "2026-01-02T03:04:05.678000Z"
    assert document["input"] == {"topic": "transactions", "partition": 3, "offset": 99}


def test_a_wrong_place_deep_in_a_decision_is_named() -> None:
    document = orjson.loads(write_decision(a_decision()))
    document["input"]["offset"] = "99"
    with pytest.raises(MalformedRecord, match=r"WRONG_TYPE: input\.offset: Expected `int`, got `str`"):
        read_decision(orjson.dumps(document))


def test_an_alert_written_is_read_as_the_same() -> None:
    assert read_alert(write_alert(an_alert_event())) == an_alert_event()
    assert read_mode_event(write_mode_event(a_mode_event())) == a_mode_event()


def test_an_alert_is_a_cloud_event_for_others() -> None:
    document = orjson.loads(write_alert(an_alert_event()))
    assert document["specversion"] == "1.0"
    assert document["type"] == "holdfast.scoring.slow"
    assert document["subject"] == document["data"]["dedup_key"] == "worker-1/scorer"


def test_an_alert_of_another_kind_of_event_is_refused() -> None:
    document = orjson.loads(write_alert(an_alert_event())) | {"type": "com.example.object.deleted"}
    with pytest.raises(MalformedRecord, match="INVALID_VALUE: type"):
        read_alert(orjson.dumps(document))


def test_an_answer_written_is_read_as_the_same_with_its_time_in_utc() -> None:
    assert read_answer(write_answer(an_information_answer())) == an_information_answer()
    document = orjson.loads(write_answer(an_information_answer())) | {"answered_at": "2026-01-02T05:04:05.678+02:00"}
    assert read_answer(orjson.dumps(document)).answered_at.tzinfo is UTC


def test_an_answer_with_a_card_number_is_refused() -> None:
    document = orjson.loads(write_answer(an_information_answer())) | {"text": f"it is {CARD_NUMBER}"}
    with pytest.raises(MalformedRecord, match=Reason.CARD_NUMBER_PRESENT):
        read_answer(orjson.dumps(document))


def test_a_complaint_written_is_read_as_the_same_and_one_with_a_card_number_is_refused() -> None:
    assert read_complaint(write_complaint(a_complaint())) == a_complaint()
    document = orjson.loads(write_complaint(a_complaint())) | {"complained_at": "2026-01-02T05:04:05.678+02:00"}
    assert read_complaint(orjson.dumps(document)).complained_at.tzinfo is UTC
    with pytest.raises(MalformedRecord, match=Reason.CARD_NUMBER_PRESENT):
        read_complaint(orjson.dumps(document | {"text": f"it is {CARD_NUMBER}"}))


@given(st.none() | st.binary(max_size=200))
def test_any_bytes_are_refused_as_whatever_is_read_with_a_reason(value: bytes | None) -> None:
    for reader in (read_label, read_decision, read_alert, read_answer, read_complaint):
        with pytest.raises(MalformedRecord):
            reader(value)
