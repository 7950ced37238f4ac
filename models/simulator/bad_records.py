"""Bad records, by name: what producers have sent to streams like this one, and why each cannot be decided."""

from dataclasses import dataclass
from datetime import timedelta

from models.dead_letter import DeadLetterReason as Reason
from models.simulator.damage import (
    Maker,
    ahead,
    amount_written,
    as_json,
    card_as_token,
    card_escaped,
    grouped,
    holding,
    keyed,
    lacking,
    noted,
    other_amount,
    other_currency,
    other_merchant,
    rewritten,
    sent,
    truncated,
    with_card,
)

DEEP = 30_000  # fits into 64 KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class BadKind:
    """One way to be bad. `make` does not change the good transaction it is given."""

    name: str
    reason: Reason
    make: Maker
    follows_good: bool = False  # bad only after the good transaction itself was sent


_CATALOGUE: dict[Reason, dict[str, Maker]] = {
    Reason.EMPTY_VALUE: {
        "tombstone": sent(None),
        "empty": sent(b""),
    },
    Reason.TOO_LARGE: {
        "nine hundred kilobytes": noted(b"x" * 900_000),
        "just over 64 KiB": noted(b"x" * 65_536),
        "nested 100,000 deep": sent(b"[" * 100_000 + b"]" * 100_000),
    },
    Reason.NOT_UTF8: {
        "invalid UTF-8": noted(b"\xff\xfe"),
        "Latin-1": noted(b"Caf\xe9"),
        "UTF-16": rewritten(lambda value: value.decode().encode("utf-16")),
        "surrogate as bytes": noted(b"\xed\xa0\x80"),
        "overlong encoding": noted(b"\xc0\xaf"),
        "compressed": sent(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabV*I-.\x01\x00\xa5\xa6"),
    },
    Reason.NOT_JSON: {
        "truncated": truncated,
        "whitespace only": sent(b" \n\t "),
        "plain text": sent(b"payment of 12.50 EUR approved"),
        "XML": sent(b"<payment><amount>1250</amount></payment>"),
        "single quotes": rewritten(lambda value: value.replace(b'"', b"'")),
        "trailing comma": rewritten(lambda value: value[:-1] + b",}"),
        "trailing garbage": rewritten(lambda value: value + b"]"),
        "two objects": rewritten(lambda value: value + b"\n" + value),
        "byte order mark": rewritten(lambda value: b"\xef\xbb\xbf" + value),
        "raw newline in a string": noted(b"one\ntwo"),
        "lone surrogate escaped": noted(b"\\ud800"),
        "nested 30,000 deep": sent(b"[" * DEEP + b"]" * DEEP),
        "amount NaN": amount_written("NaN"),
        "amount Infinity": amount_written("-Infinity"),
        "amount 1e400": amount_written("1e400"),  # JSON by its grammar, but no number that a double holds
        "amount with a leading zero": amount_written("0012"),
    },
    Reason.NOT_AN_OBJECT: {
        "array": rewritten(lambda value: b"[" + value + b"]"),
        "number": sent(b"42"),
        "string": sent(b'"payment"'),
        "null": sent(b"null"),
        "true": sent(b"true"),
        "JSON in a string": rewritten(lambda value: as_json(value.decode())),
    },
    Reason.MISSING_FIELD: {
        "no transaction_id": lacking("transaction_id"),
        "no event_time": lacking("event_time"),
        "no pan_token": lacking("pan_token"),
        "no amount_minor": lacking("amount_minor"),
        "no currency": lacking("currency"),
        "no merchant_id": lacking("merchant_id"),
        "empty object": sent(b"{}"),
    },
    Reason.WRONG_TYPE: {
        "amount as text": holding(amount_minor="1250"),
        "amount true": holding(amount_minor=True),
        "amount null": holding(amount_minor=None),
        "amount with a fraction": holding(amount_minor=12.5),
        "transaction_id a number": holding(transaction_id=12345),
        "pan_token a list": holding(pan_token=["tok_1"]),
        "currency null": holding(currency=None),
        "currency a number": holding(currency=978),
        "merchant_id an object": holding(merchant_id={"id": "mer_1"}),
        "mcc a number": holding(mcc=5411),
        "event_time a number": holding(event_time=1_767_225_600),
        "schema version as text": holding(schema_version="1"),
    },
    Reason.INVALID_VALUE: {
        "empty id": holding(transaction_id=""),
        "id of 65 characters": holding(transaction_id="x" * 65),
        "id with a space": holding(transaction_id="tx 1"),
        "id with a newline at its end": holding(transaction_id="tx1\n"),
        "id with NUL": holding(transaction_id="tx\0a"),
        "id with a letter beyond ASCII": holding(transaction_id="tx_ä"),
        "lower-case currency": holding(currency="eur"),
        "currency by number": holding(currency="978"),
        "unknown channel": holding(channel="pigeon"),
        "mcc of three digits": holding(mcc="541"),
        "mcc of letters": holding(mcc="food"),
        "country by name": holding(card_country="Germany"),
    },
    Reason.AMOUNT_OUT_OF_RANGE: {
        "amount zero": holding(amount_minor=0),
        "amount negative": holding(amount_minor=-1250),
        "amount just over the limit": holding(amount_minor=10**12 + 1),
        "amount beyond 64 bits": amount_written("1" + "0" * 30),
    },
    Reason.EVENT_TIME_IN_FUTURE: {
        "event_time ten minutes ahead": ahead(timedelta(minutes=10)),
        "event_time in the year 9998": holding(event_time="9998-12-31T23:59:59Z"),
    },
    Reason.EVENT_TIME_INVALID: {
        "event_time without an offset": holding(event_time="2025-06-01T12:00:00"),
        "event_time on 30 February": holding(event_time="2025-02-30T12:00:00Z"),
        "event_time at 25 o'clock": holding(event_time="2025-06-01T25:00:00Z"),
        "event_time in words": holding(event_time="yesterday"),
        "event_time empty": holding(event_time=""),
        "event_time a date": holding(event_time="2025-06-01"),
    },
    Reason.UNKNOWN_SCHEMA_VERSION: {
        "schema version 99": holding(schema_version=99),
        "schema version 0": holding(schema_version=0),
        "schema version negative": holding(schema_version=-1),
    },
    Reason.CARD_NUMBER_PRESENT: {
        "card number in an unknown field": with_card(lambda number: {"merchant_name": f"Shop {number}"}),
        "card number as a device": with_card(lambda number: {"device_id": number}),
        "card number within an id": with_card(lambda number: {"transaction_id": f"tx_{number}_a"}),
        "card number with spaces": with_card(lambda number: {"note": grouped(number, " ")}),
        "card number with hyphens": with_card(lambda number: {"note": grouped(number, "-")}),
        "card number nested": with_card(lambda number: {"card": {"numbers": [number]}}),
        "card number as a number": with_card(lambda number: {"account": int(number)}),
        "card number as a field's name": with_card(lambda number: {number: "card"}),
        "card number of 15 digits": with_card(lambda number: {"note": number}, "37", 15),
        "card number of 19 digits": with_card(lambda number: {"note": number}, "6", 19),
        "card number escaped": card_escaped,
        "card number as token and key": card_as_token,
    },
    Reason.KEY_MISMATCH: {
        "key of another card": keyed(lambda _: b"tok_another"),
        "key in quotes": keyed(lambda key: b'"' + key + b'"'),
        "key empty": keyed(lambda _: b""),
        "no key": keyed(lambda _: None),
    },
}
_REUSED: dict[str, Maker] = {
    "same id, other amount": other_amount,
    "same id, other merchant": other_merchant,
    "same id, other currency": other_currency,
}

BAD_KINDS = tuple(
    BadKind(name=name, reason=reason, make=make) for reason, kinds in _CATALOGUE.items() for name, make in kinds.items()
) + tuple(BadKind(name=name, reason=Reason.ID_REUSED, make=make, follows_good=True) for name, make in _REUSED.items())
"""All kinds. The good transaction given to `make` happens about now, else one of them is not in the future."""
