"""Models to go back to: spaced in time, the newest eight, found by version, and sound."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from support.trained import trained

from models.snapshot import content_hash, to_plain
from streams.learning.good_models import SLOTS, GoodModels
from streams.wire.snapshot_record import SnapshotRecord

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SNAPSHOT = trained(20)


def made(hours: float) -> SnapshotRecord:
    return SnapshotRecord(created_at=NOON + hours * HOUR, snapshot={"model_version": f"v{hours:g}"})


def test_the_first_is_kept_and_then_one_an_hour() -> None:
    good = GoodModels(every=HOUR)
    kept = [hours for hours in (0, 0.5, 0.99, 1, 1.5, 2.5) if good.keep(made(hours)) is not None]
    assert kept == [0, 1, 2.5]


def test_the_oldest_makes_room_for_the_newest() -> None:
    good = GoodModels(every=HOUR)
    keys = [good.keep(made(hours)) for hours in range(SLOTS + 3)]
    assert keys[SLOTS:] == keys[:3]
    assert len(set(keys)) == SLOTS
    assert sorted(each.model_version for each in good.kept.values()) == sorted(f"v{n}" for n in range(3, SLOTS + 3))


def test_what_was_kept_before_a_restart_counts() -> None:
    before = GoodModels(every=HOUR)
    key = before.keep(made(0))
    after = GoodModels(every=HOUR, kept=dict(before.kept))
    assert after.keep(made(0.5)) is None
    assert after.keep(made(1)) not in (None, key)


def test_a_model_is_found_by_its_version_if_it_is_sound() -> None:
    good = GoodModels(every=HOUR)
    good.keep(SnapshotRecord(created_at=NOON, snapshot=to_plain(SNAPSHOT)))
    good.keep(made(1))
    assert good.find(SNAPSHOT.model_version) == SNAPSHOT
    assert good.find("v1") is None  # no snapshot at all
    assert good.find("v7") is None


def taught_until(seconds: float, labels: int) -> SnapshotRecord:
    snapshot = replace(trained(labels), label_offsets={"frontier": seconds})
    named = replace(snapshot, model_version=f"v-{content_hash(snapshot)}")
    return SnapshotRecord(created_at=NOON + seconds * HOUR, snapshot=to_plain(named))


def test_the_oldest_that_is_sound_and_the_newest_of_before_a_moment_are_found() -> None:
    good = GoodModels(every=HOUR)
    assert good.oldest() is None
    assert good.taught_before(9.0) is None
    records = [taught_until(hours, 20 + hours) for hours in range(3)]
    for each in records:
        good.keep(each)
    assert to_plain(good.oldest() or SNAPSHOT) == records[0].snapshot
    assert to_plain(good.taught_before(2.0) or SNAPSHOT) == records[1].snapshot
    assert good.taught_before(0.0) is None
    good.keep(made(3))
    assert good.taught_before(0.5) is None  # it is no snapshot at all
