"""What `holdfast model show` says of what may be automatic."""

from dataclasses import replace

import pytest
from support.told import told_record
from support.trained import trained

from models.conformal import BINS
from models.track_record import TrackRecord
from streams.operating.model_commands import what_may_be_automatic


def told(record: TrackRecord | None) -> str:
    return what_may_be_automatic(replace(trained(), track_record=None if record is None else record.to_plain()))


@pytest.mark.parametrize("record", [None, TrackRecord()])
def test_it_says_that_too_little_is_known(record: TrackRecord | None) -> None:
    assert told(record).startswith("Too little is known")


def test_it_says_how_far_automatic_outcomes_may_go() -> None:
    record = told_record(frauds=100)
    record.approvals.reach, record.blocks.reach = BINS // 2 - 1, -1
    assert "below 0.5" in told(record)
    assert "blocks at no score" in told(record)
    record.approvals.reach, record.blocks.reach = BINS - 1, BINS - 1
    assert "Approvals may be automatic at any score" in told(record)
    assert "blocks from 0.0000 on" in told(record)
