"""What an audit takes down of each record: which payment it is, or where the record lay that it ends."""

from typing import Any, Protocol

import msgspec

from models.canary import CANARY_TOKEN
from rules.decision import InputPosition
from streams.wire.codec import MalformedRecord, content_fingerprint, read_transaction
from streams.wire.dead_letter import NotADeadLetter, read_dead_letter


class NotAnEnding(Exception):
    """A record of the decision or dead-letter topics that names no transaction."""


class TakesEndings(Protocol):
    """A ledger, as far as endings go."""

    def decision(self, partition: int, offset: int, transaction_id: str) -> None:
        """A decision, and where its transaction lay."""

    def dead_letter(self, partition: int, offset: int) -> None:
        """A dead letter, by where the record lay."""


class _Named(msgspec.Struct):
    """Of a decision only what names its transaction: a tenth of the time of reading it whole."""

    transaction_id: str
    input: InputPosition


_named = msgspec.json.Decoder(_Named)


def identity(record: Any) -> tuple[str | None, int] | None:
    """Of a record of `transactions` its id and the fingerprint of its content; no id if it is malformed.

    None for a canary: it is nobody's payment, and its decision does not lie where decisions do.
    """
    try:
        transaction = read_transaction(record.key, record.value, record.timestamp / 1000)
    except MalformedRecord:
        return None, 0
    if transaction.pan_token == CANARY_TOKEN:
        return None
    return transaction.transaction_id, content_fingerprint(transaction)


def take_ending(ledger: TakesEndings, record: Any, *, source: str, dead_letters: str) -> None:
    """Take down a decision or dead letter, if what it ends lay in the topic `source`. Raises NotAnEnding."""
    if record.topic == dead_letters:
        place = _put_aside(record)
        if place.topic == source:
            ledger.dead_letter(place.partition, place.offset)
    else:
        transaction_id, place = _decided(record)
        if place.topic == source:
            ledger.decision(place.partition, place.offset, transaction_id)


def _decided(record: Any) -> tuple[str, InputPosition]:
    try:
        named = _named.decode(record.value or b"")
    except msgspec.DecodeError as error:
        raise NotAnEnding("no decision") from error
    return named.transaction_id, named.input


def _put_aside(record: Any) -> InputPosition:
    try:
        source = read_dead_letter(record.key, record.value, record.headers).record
    except NotADeadLetter as error:
        raise NotAnEnding("no dead letter") from error
    return InputPosition(topic=source.topic, partition=source.partition, offset=source.offset)
