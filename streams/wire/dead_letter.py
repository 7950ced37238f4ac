"""Dead letters: a record we could not decide, as it came, and headers that say why and where it lay.

Key, value and headers stay byte for byte, except that card numbers are masked in all of them; then the header
`holdfast-error-masked` says how many. A record without a value stays one: the topic is not compacted, so nothing is
deleted by it. Our headers come last. A letter that was sent again and failed again carries both blocks, and the last
one counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from models.dead_letter import DeadLetterReason
from streams.wire.card_guard import mask, mask_text
from streams.wire.codec import MalformedRecord

PREFIX = "holdfast-error-"
REASON = PREFIX + "reason"
DETAIL = PREFIX + "detail"
TOPIC = PREFIX + "topic"
PARTITION = PREFIX + "partition"
OFFSET = PREFIX + "offset"
TIMESTAMP = PREFIX + "timestamp"
MASKED = PREFIX + "masked"

ERROR_HEADERS = {
    REASON: "reason code",
    DETAIL: "which field, and what was expected of it; never a value",
    TOPIC: "topic the record lay in",
    PARTITION: "partition the record lay in",
    OFFSET: "offset the record lay at",
    TIMESTAMP: "the broker's timestamp of the record, ms since the epoch",
    MASKED: "how many card numbers were masked; absent where none were",
}

Header = tuple[str, bytes | None]  # Kafka has headers without a value


class ConsumedRecord(Protocol):
    """A record as a Kafka client gives it; aiokafka's ConsumerRecord is one."""

    @property
    def topic(self) -> str: ...  # noqa: D102
    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Sequence[Header]: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """A record, and where it lay; the timestamp is the broker's, in ms since the epoch."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()


class DeadLetter(NamedTuple):
    """What is written to the dead-letter topic."""

    key: bytes | None
    value: bytes | None
    headers: list[Header]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterReport:
    """What a dead letter says: why, and of which record (as it can be told after masking)."""

    reason: DeadLetterReason
    detail: str
    masked: int  # card numbers
    record: SourceRecord


class NotADeadLetter(Exception):
    """A record whose headers are not those of a dead letter: which one is missing or wrong."""


def dead_letter(record: ConsumedRecord, refusal: MalformedRecord) -> DeadLetter:
    """Make the dead letter of a refused record."""
    key, masked_in_key = _masked(record.key)
    value, masked_in_value = _masked(record.value)
    kept, masked_in_headers = _masked_headers(record.headers)
    masked = masked_in_key + masked_in_value + masked_in_headers
    ours = [
        (REASON, refusal.reason.value),
        (DETAIL, mask_text(refusal.detail)),
        (TOPIC, record.topic),
        (PARTITION, str(record.partition)),
        (OFFSET, str(record.offset)),
        (TIMESTAMP, str(record.timestamp)),
    ]
    if masked:
        ours.append((MASKED, str(masked)))
    return DeadLetter(key=key, value=value, headers=[*kept, *((name, text.encode()) for name, text in ours)])


def read_dead_letter(key: bytes | None, value: bytes | None, headers: Sequence[Header]) -> DeadLetterReport:
    """Read one record of the dead-letter topic. Raises NotADeadLetter."""
    begins = max((place for place, (name, _) in enumerate(headers) if name == REASON), default=len(headers))
    said = {name: content for name, content in headers[begins:] if content is not None}
    try:
        return DeadLetterReport(
            reason=DeadLetterReason(said[REASON].decode()),
            detail=said[DETAIL].decode(),
            masked=int(said.get(MASKED, b"0")),
            record=SourceRecord(
                topic=said[TOPIC].decode(),
                partition=int(said[PARTITION]),
                offset=int(said[OFFSET]),
                timestamp=int(said[TIMESTAMP]),
                key=key,
                value=value,
                headers=tuple(headers[:begins]),
            ),
        )
    except KeyError as missing:
        raise NotADeadLetter(f"header {missing} is missing") from missing
    except ValueError as error:
        raise NotADeadLetter("a header does not hold what its name says") from error


def _masked(data: bytes | None) -> tuple[bytes | None, int]:
    return (None, 0) if data is None else mask(data)


def _masked_headers(headers: Iterable[Header]) -> tuple[list[Header], int]:
    kept: list[Header] = []
    masked = 0
    for name, content in headers:
        masked_content, count = _masked(content)
        kept.append((mask_text(name), masked_content))
        masked += count + (kept[-1][0] != name)
    return kept, masked
