"""Records as aiokafka hands them over."""

from collections.abc import Sequence

from aiokafka import ConsumerRecord


def consumed(
    value: bytes | None,
    *,
    key: bytes | None = None,
    topic: str = "transactions",
    partition: int = 0,
    offset: int = 0,
    at: float = 0.0,
    headers: Sequence[tuple[str, bytes | None]] = (),
) -> ConsumerRecord:
    """A record with the broker's timestamp `at`, in seconds since 1970."""
    return ConsumerRecord(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=round(at * 1000),
        timestamp_type=1,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=len(key or b""),
        serialized_value_size=len(value or b""),
        headers=tuple(headers),
    )
