"""Heartbeats on the wire: that a process lives, and what it is at. By instance; a tombstone is a clean end."""

from dataclasses import dataclass

import orjson

from models.transaction import UtcTime
from rules.mode import Mode, ModeReason
from streams.wire.codec import read_object, read_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a process says of itself; `mode` and what follows is for workers alone."""

    instance: str  # `worker-1`, `learner`: one process of each name
    at: UtcTime  # by its own clock
    started_at: UtcTime
    mode: Mode | None = None
    mode_reason: ModeReason | None = None
    mode_since: UtcTime | None = None
    lanes: int | None = None  # partitions that it decides
    model_version: str | None = None


def write_heartbeat(heartbeat: Heartbeat) -> bytes:
    """Write it as the topic holds it."""
    return orjson.dumps(heartbeat, option=orjson.OPT_UTC_Z)


def read_heartbeat(value: bytes | None) -> Heartbeat:
    """Read it. Raises MalformedRecord, and nothing else, for any bytes."""
    return read_record(read_object(value), Heartbeat)
