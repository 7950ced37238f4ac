"""What a model's drift shows: in labels once payments are old enough, and in scores at once; and when it is over."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from models.drift_watch import WINDOW, Drift, DriftSign, DriftWatch

CHANGE, LENGTH = 15_000, 22_000


def payments(seed: int, *, more: float = 0.0, spared: float = 0.0) -> Iterator[tuple[float, bool]]:
    """Score and outcome; from CHANGE on `more` of all are fraud unseen, and `spared` of the frauds scored are none."""
    rng = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-rng.normal(-4.5, 2.0, LENGTH)))
    frauds = rng.random(LENGTH) < scores
    after = np.arange(LENGTH) >= CHANGE
    frauds = (frauds | (after & (rng.random(LENGTH) < more))) & ~(after & (rng.random(LENGTH) < spared))
    return zip(scores.tolist(), frauds.tolist(), strict=True)


def told_of(pairs: Iterator[tuple[float, bool]], watch: DriftWatch) -> dict[DriftSign, int]:
    """When each sign was told first."""
    first: dict[DriftSign, int] = {}
    for number, (score, is_fraud) in enumerate(pairs):
        for drift in watch.labelled(score, is_fraud=is_fraud):
            first.setdefault(drift.sign, number)
    return first


def test_true_scores_show_no_drift() -> None:
    watch = DriftWatch()
    assert told_of(payments(1), watch) == {}
    assert watch.signs == frozenset()


def test_unseen_fraud_is_both_a_surprise_and_more_fraud() -> None:
    first = told_of(payments(2, more=0.04), DriftWatch())
    assert first.keys() == {DriftSign.LOSS, DriftSign.MORE_FRAUD}
    assert all(CHANGE <= at < CHANGE + 1_000 for at in first.values())


def test_scores_that_cry_wolf_are_less_fraud() -> None:
    first = told_of(payments(3, spared=0.9), DriftWatch())
    assert DriftSign.LESS_FRAUD in first
    assert CHANGE <= first[DriftSign.LESS_FRAUD] < CHANGE + 1_000


def test_a_sign_holds_until_it_is_known_what_is_usual_since() -> None:
    watch, held = DriftWatch(), []
    for score, is_fraud in payments(2, more=0.04):
        watch.labelled(score, is_fraud=is_fraud)
        held.append(DriftSign.LOSS in watch.signs)
    began = held.index(True)
    assert 2_900 <= sum(held) <= 3_100
    assert not any(held[:began])
    assert not held[-1]


def test_scores_that_move_are_told_once_and_are_well_when_they_are_as_before() -> None:
    watch, rng, told = DriftWatch(), np.random.default_rng(4), []
    for mean in (-5.0, -5.0, -2.0, -2.0, -5.0, -5.0):
        for log_odds in rng.normal(mean, 1.5, WINDOW).tolist():
            if (drift := watch.scored(1 / (1 + np.exp(-log_odds)))) is not None:
                told.append((mean, drift))
        held = DriftSign.SCORES in watch.signs
        assert held or mean == -5.0
    assert [(mean, drift.sign, drift.values) for mean, drift in told[:1]] == [(-2.0, DriftSign.SCORES, WINDOW)]
    assert len(told) == 1
    assert told[0][1].after > 0.25


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_a_score_may_be_certain_and_wrong(probability: float) -> None:
    watch = DriftWatch()
    assert watch.scored(probability) is None
    assert watch.labelled(probability, is_fraud=probability == 0.0) == []


@pytest.mark.parametrize("cut", [0, 1, 15_400, 15_900, 21_000])
def test_a_restarted_watch_tells_what_an_uninterrupted_one_tells(cut: int) -> None:
    def tell(watch: DriftWatch, pairs: list[tuple[float, bool]]) -> list[Drift]:
        told = []
        for score, is_fraud in pairs:
            told += [drift for drift in [watch.scored(score)] if drift is not None]
            told += watch.labelled(score, is_fraud=is_fraud)
        return told

    pairs = list(payments(5, more=0.05))
    whole, first = DriftWatch(), DriftWatch()
    expected = tell(whole, pairs)
    assert expected != []
    before = tell(first, pairs[:cut])
    second = DriftWatch.from_plain(json.loads(json.dumps(first.to_plain())))
    assert before + tell(second, pairs[cut:]) == expected
    assert (second.signs, second.to_plain()) == (whole.signs, whole.to_plain())
