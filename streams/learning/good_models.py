"""The way back: champions that did well, one an hour or so, kept on `learner-state` with the newest eight."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.snapshot import Snapshot, SnapshotInvalid, from_plain
from models.verifying import verify
from streams.wire.snapshot_record import GOOD, SnapshotRecord

SLOTS = 8


@dataclass(slots=True, kw_only=True)
class GoodModels:
    """By their keys. A model is good once it has decided, and labels and scores show no drift."""

    every: timedelta
    kept: dict[bytes, SnapshotRecord] = field(default_factory=dict)

    def keep(self, record: SnapshotRecord) -> bytes | None:
        """Keep a champion that another replaces, unless the last one kept is too young; the key that it gets."""
        newest = max((each.created_at for each in self.kept.values()), default=None)
        if newest is not None and record.created_at - newest < self.every:
            return None
        free = [key for slot in range(SLOTS) if (key := GOOD + b"%d" % slot) not in self.kept]
        key = free[0] if free else min(self.kept, key=self._age)
        self.kept[key] = record
        return key

    def find(self, version: str) -> Snapshot | None:
        """The model of this version, if it is kept and sound."""
        return next((_sound(each) for each in self.kept.values() if each.model_version == version), None)

    def oldest(self) -> Snapshot | None:
        """The one that was kept first, if it is sound."""
        return _sound(min(self.kept.values(), key=_made)) if self.kept else None

    def taught_before(self, moment: float) -> Snapshot | None:
        """The newest that had learnt nothing from after that moment of event time, in seconds, if it is sound."""
        earlier = [each for each in self.kept.values() if each.frontier < moment]
        return _sound(max(earlier, key=_made)) if earlier else None

    def _age(self, key: bytes) -> datetime:
        return _made(self.kept[key])


def _made(record: SnapshotRecord) -> datetime:
    return record.created_at


def _sound(record: SnapshotRecord) -> Snapshot | None:
    try:
        snapshot = from_plain(record.snapshot)
        verify(snapshot)
    except SnapshotInvalid:
        return None
    return snapshot
