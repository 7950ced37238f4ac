"""A snapshot as the `models` topic holds it: the snapshot, when it was made, and whether it may score."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import structlog

log = structlog.get_logger()

CHAMPION = b"champion"  # what workers score with
CANDIDATE = b"candidate"  # the learner's own state while it has learnt too little to be trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRecord:
    """`snapshot` is the plain form of models.snapshot."""

    created_at: datetime  # aware, UTC
    snapshot: dict[str, Any]


class SnapshotUnreadable(Exception):
    """A record of the models topic that is none."""


def write_snapshot(record: SnapshotRecord) -> bytes:
    """Write it as the topic holds it."""
    return orjson.dumps({"created_at": record.created_at, "snapshot": record.snapshot}, option=orjson.OPT_UTC_Z)


def read_snapshot(value: bytes) -> SnapshotRecord:
    """Read it. Raises SnapshotUnreadable; whether the snapshot is sound is for models.snapshot.verify to say."""
    try:
        published = orjson.loads(value)
        return SnapshotRecord(
            created_at=datetime.fromisoformat(published["created_at"]), snapshot=dict(published["snapshot"])
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise SnapshotUnreadable(repr(error)) from error


def champion_of(key: bytes, value: bytes | None) -> SnapshotRecord | None:
    """What a record of the models topic says of the snapshot in use; None if nothing that can be read."""
    if key != CHAMPION or value is None:
        return None
    try:
        return read_snapshot(value)
    except SnapshotUnreadable as error:
        log.error("snapshot_unreadable", error=str(error))
        return None
