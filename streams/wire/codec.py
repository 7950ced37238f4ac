"""Bytes to records and back. What does not fit the contract is refused here, with a reason, and nowhere else.

No refusal carries a value of the record: its detail names the field and what was expected of it. For the same reason
refusals are not chained to the errors underneath, which quote what they met.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import orjson

from models.dead_letter import DeadLetterReason
from models.form import Form
from models.information import InformationAnswer, InformationRequest
from models.label import Label
from models.texts import CARD_NUMBER, NOT_PLAIN, Contents, peculiarities
from models.transaction import EARLIEST_SCHEMA_VERSION, SCHEMA_VERSION, Transaction
from rules.complaint import Complaint
from rules.decision import Decision
from rules.revision import Revision
from streams.wire.card_guard import holds_card_number

MAX_VALUE_BYTES = 64 * 1024
MAX_SECONDS_AHEAD = 300.0

Record = TypeVar("Record")

# What msgspec says, from its first word on, and what it means; the rest is a value that may not be.
_REASONS = (
    (re.compile(r"Object missing required field"), DeadLetterReason.MISSING_FIELD),
    (re.compile(r"Expected `[^`]+`, got `\w+`"), DeadLetterReason.WRONG_TYPE),
    (re.compile(r"Expected `int` [<>]= \d+ - at `\$\.amount_minor`\Z"), DeadLetterReason.AMOUNT_OUT_OF_RANGE),
    (re.compile(r"(Invalid|Expected `datetime` w).* - at `\$\.event_time`\Z"), DeadLetterReason.EVENT_TIME_INVALID),
)
_QUOTES_THE_VALUE = "Invalid enum value"

_json = msgspec.json.Encoder()
_transaction = msgspec.json.Decoder(Transaction)
_form = Form(Transaction)

# Append-only: what a producer repeats across our releases must be recognised. The schema version says how it is
# written, not what is paid.
_CONTENT = [field for field in Transaction.__struct_fields__ if field != "schema_version"]
_contents = Contents(_CONTENT, lambda values: orjson.dumps(values, option=orjson.OPT_UTC_Z))


class MalformedRecord(Exception):
    """A record outside the contract: why, and where, without any of its values."""

    def __init__(self, reason: DeadLetterReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def read_transaction(key: bytes | None, value: bytes | None, broker_time: float) -> Transaction:
    """Read one record of `transactions`; `broker_time` is the broker's timestamp in seconds since the epoch.

    Raises MalformedRecord, and nothing else, for any bytes.
    """
    transaction = _read_at_once(value) or _read_piecemeal(value)
    event_time = _utc("event_time", transaction.event_time)
    if event_time.timestamp() - broker_time > MAX_SECONDS_AHEAD:
        raise MalformedRecord(
            DeadLetterReason.EVENT_TIME_IN_FUTURE, "event_time: over 5 min ahead of the broker's time"
        )
    if key != transaction.pan_token.encode():
        raise MalformedRecord(DeadLetterReason.KEY_MISMATCH, "pan_token: must be the record's key")
    if event_time is transaction.event_time:
        return transaction
    return msgspec.structs.replace(transaction, event_time=event_time)


def read_label(value: bytes | None) -> Label:
    """Read one record of `labels`. Raises MalformedRecord, and nothing else, for any bytes."""
    label = _read_versioned(value, Label)
    effective_at = _utc("effective_at", label.effective_at)
    return replace(label, effective_at=effective_at, received_at=_utc("received_at", label.received_at))


def read_decision(value: bytes | None) -> Decision:
    """Read one record of the decision topics. Raises MalformedRecord, and nothing else, for any bytes."""
    return read_record(read_object(value), Decision)


def read_revision(value: bytes | None) -> Revision:
    """Read one record of `decisions.revised`. Raises MalformedRecord, and nothing else, for any bytes."""
    return read_record(read_object(value), Revision)


def read_request(value: bytes | None) -> InformationRequest:
    """Read one record of `information.requested`. Raises MalformedRecord, and nothing else, for any bytes."""
    return read_record(read_object(value), InformationRequest)


def read_answer(value: bytes | None) -> InformationAnswer:
    """Read one record of `information.answered`. Raises MalformedRecord, and nothing else, for any bytes."""
    answer = _read_versioned(value, InformationAnswer)
    return replace(answer, answered_at=_utc("answered_at", answer.answered_at))


def read_complaint(value: bytes | None) -> Complaint:
    """Read one record of `complaints`. Raises MalformedRecord, and nothing else, for any bytes."""
    complaint = _read_versioned(value, Complaint)
    return replace(complaint, complained_at=_utc("complained_at", complaint.complained_at))


def write_transaction(transaction: Transaction) -> bytes:
    """Write a transaction as its topic holds it."""
    return _json.encode(transaction)


def write_label(label: Label) -> bytes:
    """Write a label as its topic holds it."""
    return _json.encode(label)


def write_decision(decision: Decision) -> bytes:
    """Write a decision as its topics hold it. On the hot path: orjson takes more than twice as long with records."""
    return _json.encode(decision)


def write_request(request: InformationRequest) -> bytes:
    """Write a question as its topic holds it."""
    return orjson.dumps(request, option=orjson.OPT_UTC_Z)


def write_answer(answer: InformationAnswer) -> bytes:
    """Write an answer as its topic holds it."""
    return orjson.dumps(answer, option=orjson.OPT_UTC_Z)


def write_complaint(complaint: Complaint) -> bytes:
    """Write a complaint as its topic holds it."""
    return orjson.dumps(complaint, option=orjson.OPT_UTC_Z)


def write_revision(revision: Revision) -> bytes:
    """Write a revision as its topic holds it."""
    return _json.encode(revision)


def content_fingerprint(transaction: Transaction) -> int:
    """32 bits that stand for what a transaction says, however its fields were ordered, spaced or escaped.

    Made from the checked fields, so the same bytes always agree as well, and one number per id is enough. Fields not
    given leave no trace at the end, so that an optional field appended later changes no earlier fingerprint.
    """
    return _contents.fingerprint(transaction)


def read_object(value: bytes | None) -> dict[str, Any]:
    """Read the JSON object a record holds, of any size. Raises MalformedRecord."""
    if not value:
        raise MalformedRecord(DeadLetterReason.EMPTY_VALUE, "the record has no value")
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        refusal = _unreadable(value, error)
    else:
        if type(document) is dict:
            return document
        refusal = MalformedRecord(DeadLetterReason.NOT_AN_OBJECT, f"expected an object, got {type(document).__name__}")
    raise refusal


def read_record(document: dict[str, Any], kind: type[Record]) -> Record:
    """Check a JSON object against a record's types, coercing nothing. Raises MalformedRecord."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        refusal = _invalid(str(error))
    if refusal.reason is DeadLetterReason.WRONG_TYPE and _is_beyond_integers(document.get("amount_minor")):
        refusal = MalformedRecord(DeadLetterReason.AMOUNT_OUT_OF_RANGE, "amount_minor: beyond 64 bits")
    raise refusal


def _read_at_once(value: bytes | None) -> Transaction | None:
    """The transaction of a record that is as nearly all are; None for any other, be it good or bad."""
    if not value or len(value) > MAX_VALUE_BYTES:
        return None
    found = peculiarities(value)
    if (found & CARD_NUMBER and holds_card_number(value)) or (found & NOT_PLAIN and not _is_whole(value)):
        return None
    try:
        transaction = _transaction.decode(value)
    except (msgspec.MsgspecError, RecursionError):
        return None
    if transaction.schema_version != SCHEMA_VERSION or not _form.holds(transaction):
        return None
    return transaction


def _is_whole(value: bytes) -> bool:
    """Whether a record with escapes or other letters than ASCII's is JSON throughout, without a NUL character.

    Of a field that it does not know msgspec reads no more than it needs to find the end.
    """
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return b"\\u0000" not in value


def _read_piecemeal(value: bytes | None) -> Transaction:
    """The transaction of any record that holds one. Raises MalformedRecord with what is wrong."""
    transaction = _read_versioned(value, Transaction)
    for field, pattern in _form.broken(transaction):
        raise MalformedRecord(DeadLetterReason.INVALID_VALUE, f"{field}: Expected `str` matching regex {pattern!r}")
    return transaction


def _read_versioned(value: bytes | None, kind: type[Record]) -> Record:
    if value is not None and len(value) > MAX_VALUE_BYTES:
        raise MalformedRecord(DeadLetterReason.TOO_LARGE, f"{len(value)} bytes, {MAX_VALUE_BYTES} allowed")
    document = read_object(value)
    if holds_card_number(value or b""):
        raise MalformedRecord(DeadLetterReason.CARD_NUMBER_PRESENT, "a card number stands in the record")
    version = document.get("schema_version", SCHEMA_VERSION)
    if type(version) is int and not EARLIEST_SCHEMA_VERSION <= version <= SCHEMA_VERSION:
        known = f"{EARLIEST_SCHEMA_VERSION} to {SCHEMA_VERSION}"
        raise MalformedRecord(DeadLetterReason.UNKNOWN_SCHEMA_VERSION, f"schema_version: {known} are known")
    return read_record(document, kind)


def _unreadable(value: bytes, error: orjson.JSONDecodeError) -> MalformedRecord:
    try:
        value.decode()
    except UnicodeDecodeError as undecodable:
        return MalformedRecord(DeadLetterReason.NOT_UTF8, f"byte {undecodable.start}: {undecodable.reason}")
    return MalformedRecord(DeadLetterReason.NOT_JSON, f"character {error.pos}: {error.msg}")


def _invalid(message: str) -> MalformedRecord:
    matching = (reason for meaning, reason in _REASONS if meaning.match(message))
    reason = next(matching, DeadLetterReason.INVALID_VALUE)
    problem, _, path = message.rpartition(" - at ")
    if message.startswith(_QUOTES_THE_VALUE):
        problem = "not one of the known values"
    field = path.strip("`").removeprefix("$.")
    return MalformedRecord(reason, f"{field}: {problem}" if problem else message)


def _is_beyond_integers(number: object) -> bool:
    """Integers beyond 64 bits come as floats from orjson."""
    return type(number) is float and abs(number) >= 2**63


def _utc(field: str, moment: datetime) -> datetime:
    """Give the same moment in UTC; the same object where it is already, as nearly always."""
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise MalformedRecord(DeadLetterReason.EVENT_TIME_INVALID, f"{field}: outside years 1 to 9999 in UTC") from None
