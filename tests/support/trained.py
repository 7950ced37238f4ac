"""A small model that has learnt something, for tests that need one in use."""

from datetime import UTC, datetime
from random import Random

from models.features import FEATURES
from models.online import OnlineModel
from models.snapshot import Snapshot, to_plain
from streams.wire.snapshot_record import SnapshotRecord, write_snapshot


def trained(labels: int = 200, *, seed: int = 1) -> Snapshot:
    """Fraud is a known card; everything else is noise."""
    rng, model = Random(seed), OnlineModel()
    place = FEATURES.index("card_fraud_known")
    for _ in range(labels):
        row = [rng.random() for _ in FEATURES]
        row[place] = float(rng.random() < 0.1)
        model.learn(row, is_fraud=bool(row[place]))
    return model.snapshot()


def champion_record(snapshot: Snapshot) -> bytes:
    """As the learner would publish it now."""
    return write_snapshot(SnapshotRecord(created_at=datetime.now(UTC), snapshot=to_plain(snapshot)))
