"""What an audit takes down of each record: which payment it is, or where the record lay that it ends."""

from typing import Any

import msgspec

from rules.decision import InputPosition
from streams.wire.codec import MalformedRecord, content_fingerprint, read_transaction
from streams.wire.dead_letter import NotADeadLetter, read_dead_letter


class NotAnEnding(Exception):
    """A record of the decision or dead-letter topics that names no transaction."""


class _Named(msgspec.Struct):
    """Of a decision only what names its transaction: a tenth of the time of reading it whole."""

    transaction_id: str
    input: InputPosition


_named = msgspec.json.Decoder(_Named)


def identity(record: Any) -> tuple[str | None, int]:
    """Of a record of `transactions` its id and the fingerprint of its content; no id if it is malformed."""
    try:
        transaction = read_transaction(record.key, record.value, record.timestamp / 1000)
    except MalformedRecord:
        return None, 0
    return transaction.transaction_id, content_fingerprint(transaction)


def decided(record: Any) -> tuple[str, InputPosition]:
    """Of a decision which transaction it names, and where that lay. Raises NotAnEnding."""
    try:
        named = _named.decode(record.value or b"")
    except msgspec.DecodeError as error:
        raise NotAnEnding("no decision") from error
    return named.transaction_id, named.input


def put_aside(record: Any) -> InputPosition:
    """Of a dead letter where the record lay. Raises NotAnEnding."""
    try:
        source = read_dead_letter(record.key, record.value, record.headers).record
    except NotADeadLetter as error:
        raise NotAnEnding("no dead letter") from error
    return InputPosition(topic=source.topic, partition=source.partition, offset=source.offset)
