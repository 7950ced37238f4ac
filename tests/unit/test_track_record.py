"""The track record: what scores came to says how sure the next is, and bounds what may be automatic."""

import json
from math import inf
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.told import LEVELS, scores, tell, told_record, wanted

from models.conformal import BINS
from models.error_control import EXPECTED, LEAST_AIM, ErrorControl, ErrorLevels
from models.packed import packed
from models.track_record import LOOK_EVERY, UNKNOWN, TrackRecord, Wanted

STRETCH = 2_000


class Shares(NamedTuple):
    """Fraud among approvals, others among blocks; of what costs wanted automatic, the share held back."""

    wrong_approvals: float
    wrong_blocks: float
    held_back: float


def lived(told: np.ndarray, outcomes: np.ndarray, levels: ErrorLevels = LEVELS, *, judged_from: int = 10_000) -> Shares:
    """Stretch by stretch: what may be automatic by what was known before; then it is told. Those judged, together."""
    record = TrackRecord()
    asked = np.array([wanted(each).value for each in told.tolist()])
    approved, blocked = asked == Wanted.APPROVE, asked == Wanted.BLOCK
    automatic = (approved | blocked)[judged_from:].sum()
    for begin in range(0, len(told), STRETCH):
        rows = slice(begin, begin + STRETCH)
        below, block_from = record.certainties().bounds
        approved[rows] &= told[rows] < below
        blocked[rows] &= told[rows] >= block_from
        tell(record, told[rows], outcomes[rows], levels=levels)
    approved[:judged_from] = blocked[:judged_from] = False
    return Shares(outcomes[approved].mean(), 1 - outcomes[blocked].mean(), 1 - (approved | blocked).sum() / automatic)


def test_calibrated_scores_within_the_levels_are_hardly_held_back() -> None:
    shares = lived(*scores(40_000))
    assert shares.wrong_approvals <= LEVELS.most_fraud_approved
    assert shares.wrong_blocks <= LEVELS.most_legitimate_blocked
    assert shares.held_back < 0.02


def test_a_tighter_level_holds_back_what_it_must_and_no_more() -> None:
    levels = ErrorLevels(most_fraud_approved=0.005, most_legitimate_blocked=0.08)
    shares = lived(*scores(60_000), levels)
    assert 0.003 <= shares.wrong_approvals <= 0.005
    assert 0.03 <= shares.wrong_blocks <= 0.08
    assert shares.held_back < 0.5


def test_the_level_is_held_again_after_half_of_the_fraud_is_not_seen_any_more() -> None:
    told, outcomes = scores(80_000)
    chance = np.random.default_rng(3)
    blind = np.arange(len(told)) >= 40_000
    unseen = blind & outcomes & (chance.random(len(told)) < 0.5)
    told = np.where(unseen, chance.beta(2, 60, len(told)), told)
    without = outcomes[blind & (told < 0.1)].mean()
    levels = ErrorLevels(most_fraud_approved=0.015, most_legitimate_blocked=0.25)
    shares = lived(told, outcomes, levels, judged_from=45_000)
    assert without > levels.most_fraud_approved >= shares.wrong_approvals


def test_blocks_end_once_too_many_of_them_are_wrong() -> None:
    """From one day on half of what scores highest is legitimate: in the long run the level holds all the same."""
    told, outcomes = scores(80_000)
    spoilt = (np.arange(len(told)) >= 60_000) & (told > 0.8) & (np.random.default_rng(3).random(len(told)) < 0.5)
    outcomes &= ~spoilt
    levels = ErrorLevels(most_fraud_approved=0.02, most_legitimate_blocked=0.15)
    without = 1 - outcomes[10_000:][told[10_000:] > 0.8].mean()
    assert without > levels.most_legitimate_blocked >= lived(told, outcomes, levels).wrong_blocks


def test_little_known_bounds_nothing() -> None:
    assert TrackRecord().certainties() is UNKNOWN
    told, outcomes = scores(LOOK_EVERY - 1)
    assert tell(TrackRecord(), told, outcomes).certainties().bounds == (inf, 0.0)


def test_where_few_were_blocked_blocks_are_not_bounded() -> None:
    record = TrackRecord()
    for _ in range(8 * LOOK_EVERY):
        record.take(0.001, Wanted.APPROVE, LEVELS, is_fraud=False)
    for number in range(2 * LOOK_EVERY):
        few = number < EXPECTED / LEVELS.most_legitimate_blocked / 2
        record.take(0.95, Wanted.BLOCK if few else Wanted.REVIEW, LEVELS, is_fraud=not few)
    assert record.judges
    assert record.certainties().bounds[1] == 0.0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 3_000), st.integers(0, 2**32 - 1))
def test_it_goes_on_after_a_snapshot_bit_by_bit_as_it_would_have(cut: int, seed: int) -> None:
    told, outcomes = scores(3_000, seed=seed)
    whole = tell(TrackRecord(), told, outcomes)
    first = tell(TrackRecord(), told[:cut], outcomes[:cut])
    second = TrackRecord.from_plain(json.loads(json.dumps(first.to_plain())))
    assert tell(second, told[cut:], outcomes[cut:]).to_plain() == whole.to_plain()


def test_it_is_small_however_much_it_was_told() -> None:
    assert len(json.dumps(told_record(frauds=600).to_plain())) < 60_000


@pytest.mark.parametrize(
    "change",
    [
        {"since_look": -1},
        {"since_look": LOOK_EVERY},
        {"outcomes": {}},
        {"approvals": {"reach": 512, "aim": 1.0, "told": 0, "wrong": 0}},
        {"blocks": {"reach": 1, "aim": 1.5, "told": 0, "wrong": 0}},
        {"blocks": {"reach": 1, "aim": 1.0, "told": 0, "wrong": 1}},
    ],
    ids=str,
)
def test_what_is_no_track_record_is_refused(change: dict[str, object]) -> None:
    with pytest.raises((KeyError, ValueError)):
        TrackRecord.from_plain({**TrackRecord().to_plain(), **change})


def test_weights_that_cannot_be_are_refused() -> None:
    plain = TrackRecord().to_plain()
    for bad in (-1.0, float("nan"), inf):
        plain["outcomes"]["approve"]["fraud"] = packed(np.full(BINS, bad))
        with pytest.raises(ValueError, match="weights"):
            TrackRecord.from_plain(plain)


@given(st.lists(st.booleans(), max_size=200))
def test_each_wrong_outcome_lowers_the_aim_and_each_right_one_raises_it_up_to_the_level(wrong: list[bool]) -> None:
    control, none = ErrorControl(), np.zeros(512)
    for is_wrong in wrong:
        before = control.aim
        control.take(0, is_wrong=is_wrong)
        control.look(none, none, 0.1)
        assert LEAST_AIM <= control.aim <= 1.0
        assert control.aim <= before if is_wrong else control.aim >= before


def test_an_aim_recovers_where_nothing_is_automatic_any_more() -> None:
    control = ErrorControl(reach=-1, aim=LEAST_AIM)
    for _ in range(300):
        control.look(np.zeros(512), np.zeros(512), 0.1)
    assert control.aim > 0.9


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, float("nan")])
def test_a_level_that_is_no_share_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        ErrorLevels(most_fraud_approved=level)
