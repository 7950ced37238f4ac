"""Dead letters sent again: the record as it first came, a header that names its letter, and the mark that it was sent.

A letter is named by where it lies on the dead-letter topic, `PARTITION:OFFSET`. The mark says also which record the
letter was of: should the dead-letter topic be made anew, its places come again, and old marks must not count.
"""

from typing import NamedTuple

import msgspec
import orjson

from streams.wire.dead_letter import DeadLetterReport, Header, SourceRecord

REPLAY_OF = "holdfast-replay-of"


class LetterPlace(NamedTuple):
    """Where a letter lies on the dead-letter topic.

    >>> str(LetterPlace(3, 120)), LetterPlace.read("3:120")
    ('3:120', LetterPlace(partition=3, offset=120))
    """

    partition: int
    offset: int

    def __str__(self) -> str:
        """`PARTITION:OFFSET`."""
        return f"{self.partition}:{self.offset}"

    @classmethod
    def read(cls, written: str) -> "LetterPlace":
        """Read `PARTITION:OFFSET`. Raises ValueError."""
        partition, colon, offset = written.partition(":")
        if not (colon and partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
            raise ValueError(f"{written!r} is no PARTITION:OFFSET")
        return cls(int(partition), int(offset))


class Origin(NamedTuple):
    """Which record a letter was of; the timestamp is the broker's, in ms since the epoch."""

    topic: str
    partition: int
    offset: int
    timestamp: int


class Mark(NamedTuple):
    """A record of the topic of replays: this letter was sent again."""

    place: LetterPlace
    origin: Origin


class NotAMark(Exception):
    """A record of the topic of replays that is none."""


_origin = msgspec.json.Decoder(Origin)


def origin_of(record: SourceRecord) -> Origin:
    """What a mark says of the record that a letter was of."""
    return Origin(record.topic, record.partition, record.offset, record.timestamp)


def replayed_headers(place: LetterPlace, record: SourceRecord) -> list[Header]:
    """The headers that the record came with, then the name of its letter."""
    return [*record.headers, (REPLAY_OF, str(place).encode())]


def replay_of(report: DeadLetterReport) -> str | None:
    """The letter of which this letter's record was a replay, as its header names it; None where it was none."""
    named = [content for name, content in report.record.headers if name == REPLAY_OF and content is not None]
    return named[-1].decode(errors="replace") if named else None


def write_mark(mark: Mark) -> tuple[bytes, bytes]:
    """Key and value of a mark."""
    return str(mark.place).encode(), orjson.dumps(list(mark.origin))


def read_mark(key: bytes | None, value: bytes | None) -> Mark:
    """Read a mark. Raises NotAMark."""
    try:
        return Mark(LetterPlace.read((key or b"").decode()), _origin.decode(value or b""))
    except (ValueError, msgspec.DecodeError) as error:
        raise NotAMark("key or value is not that of a mark") from error
