"""Moments as the store keeps them: microseconds since 1970, which both databases compare and index alike."""

from datetime import UTC, datetime


def micros(at: datetime) -> int:
    """An aware moment, as a column holds it."""
    return round(at.timestamp() * 1_000_000)


def moment(held: int) -> datetime:
    """What a column holds; UTC."""
    return datetime.fromtimestamp(held / 1_000_000, UTC)
