"""A snapshot as the `models` topic holds it: the snapshot, when it was made, and whether it may score."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import structlog

from models.snapshot import for_scoring

log = structlog.get_logger()

CHAMPION = b"champion"  # what workers score with
CANDIDATE = b"candidate"  # the learner's own state while it has learnt too little to be trusted
GOOD = b"good/"  # and a number, on the learner's own topic: champions that one can go back to


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRecord:
    """`snapshot` is the plain form of models.snapshot."""

    created_at: datetime  # aware, UTC
    snapshot: dict[str, Any]

    @property
    def model_version(self) -> str:
        """As the snapshot says; empty if it does not."""
        return str(self.snapshot.get("model_version", ""))

    @property
    def columns(self) -> int:
        """How many columns it weighs."""
        return len(self.snapshot.get("features", ())) + sum(map(len, self.snapshot.get("knots", ())))

    @property
    def order(self) -> str:
        """The last order that whoever made it has carried out; empty: none."""
        return str(self._of_learner.get("order", ""))

    @property
    def frontier(self) -> float:
        """How far time had come when it learnt: event time, seconds since 1970; 0 if it does not say."""
        frontier = self._of_learner.get("frontier")
        return float(frontier) if isinstance(frontier, int | float) else 0.0

    @property
    def labelled_at(self) -> float | None:
        """When the newest label that it has learnt from came, seconds since 1970; None: it does not say."""
        at = self._of_learner.get("labelled_at")
        return float(at) if isinstance(at, int | float) and at > 0 else None

    @property
    def _of_learner(self) -> dict[str, Any]:
        offsets = self.snapshot.get("label_offsets")
        return offsets if isinstance(offsets, dict) else {}

    @property
    def drifts(self) -> bool:
        """Whether there were signs of drift when it was made."""
        offsets = self.snapshot.get("label_offsets")
        return bool(offsets.get("drifting")) if isinstance(offsets, dict) else False


class SnapshotUnreadable(Exception):
    """A record of the models topic that is none."""


def write_snapshot(record: SnapshotRecord) -> bytes:
    """Write it as the topic holds it."""
    return orjson.dumps({"created_at": record.created_at, "snapshot": record.snapshot}, option=orjson.OPT_UTC_Z)


def write_for_scorer(record: SnapshotRecord) -> bytes:
    """Write what a scorer loads of it."""
    return orjson.dumps(for_scoring(record.snapshot))


def read_snapshot(value: bytes) -> SnapshotRecord:
    """Read it. Raises SnapshotUnreadable; whether the snapshot is sound is for models.verifying to say."""
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
