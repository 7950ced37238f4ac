"""Drift: seen soon after labels show it, hardly ever where there is none, and the same after a restart."""

import json
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.drift import HELD_BACK, LEAST_SEEN, Alarm, MeanShift, Stability

CHANGE = 20_000
Labels = NDArray[np.bool_]
Change = Callable[[np.random.Generator, NDArray[np.float64], Labels], tuple[NDArray[np.float64], Labels]]


def life(seed: int, count: int, change: Change | None = None) -> Iterator[float]:
    """Excess log loss of a calibrated model where one of 110 payments is fraud; after CHANGE the world changes."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-6.5, 2.0, count)
    probability = 1 / (1 + np.exp(-log_odds))
    is_fraud = rng.random(count) < probability
    if change is not None:
        probability[CHANGE:], is_fraud[CHANGE:] = change(rng, probability[CHANGE:], is_fraud[CHANGE:])
    told = np.clip(probability, 1e-6, 1 - 1e-6)
    expected = -(told * np.log(told) + (1 - told) * np.log(1 - told))
    yield from (np.where(is_fraud, -np.log(told), -np.log(1 - told)) - expected).tolist()


def alarms(values: Iterator[float]) -> list[tuple[int, Alarm]]:
    detector = MeanShift(-2.0, 8.0)
    return [(n, alarm) for n, value in enumerate(values) if (alarm := detector.take(value)) is not None]


def flipped(
    rng: np.random.Generator, probability: NDArray[np.float64], is_fraud: Labels
) -> tuple[NDArray[np.float64], Labels]:
    return probability, is_fraud ^ (rng.random(is_fraud.size) < 0.05)


def attacked(
    rng: np.random.Generator, probability: NDArray[np.float64], is_fraud: Labels
) -> tuple[NDArray[np.float64], Labels]:
    """A new kind of fraud, three in a hundred, that the model does not see."""
    return probability, is_fraud | (rng.random(is_fraud.size) < 0.03)


@pytest.mark.parametrize("seed", range(3))
def test_where_nothing_changes_there_is_no_alarm(seed: int) -> None:
    assert alarms(life(seed, 100_000)) == []


@pytest.mark.parametrize("change", [flipped, attacked])
@pytest.mark.parametrize("seed", range(5))
def test_a_change_is_seen_within_a_thousand_labels_and_told_once(change: Change, seed: int) -> None:
    found = alarms(life(seed, CHANGE + 15_000, change))
    assert len(found) == 1
    [(at, alarm)] = found
    assert CHANGE <= at < CHANGE + 1_000
    assert alarm.after > alarm.before + 0.03
    assert 0 < alarm.values <= at


def test_a_change_for_the_better_is_none() -> None:
    rng = np.random.default_rng(1)
    assert alarms(iter([*rng.normal(3.0, 1.0, 5_000).tolist(), *rng.normal(1.0, 1.0, 5_000).tolist()])) == []


def test_it_judges_once_it_has_seen_enough() -> None:
    detector = MeanShift(0.0, 1.0)
    for number in range(LEAST_SEEN + HELD_BACK):
        assert not detector.judges
        detector.take(0.1 + 0.001 * (number % 7))
    detector.take(0.1)
    assert detector.judges


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50),
    st.integers(0, 4_000),
    st.sampled_from([0.0, 0.4, 5.0]),
)
def test_a_restarted_detector_says_what_an_uninterrupted_one_says(odd: list[float], cut: int, rise: float) -> None:
    values = [0.5 + 0.01 * (n % 13) for n in range(3_500)] + odd + [0.5 + rise] * 500
    whole, first = MeanShift(-1.0, 4.0), MeanShift(-1.0, 4.0)
    told = [whole.take(value) for value in values]
    before = [first.take(value) for value in values[:cut]]
    second = MeanShift.from_plain(json.loads(json.dumps(first.to_plain())), -1.0, 4.0)
    assert before + [second.take(value) for value in values[cut:]] == told
    assert second.to_plain() == whole.to_plain()


@pytest.mark.parametrize(("value", "bound"), [(float("inf"), 1.0), (float("-inf"), -1.0), (1e300, 1.0), (-7.0, -1.0)])
def test_a_value_beyond_its_bounds_counts_as_the_bound(value: float, bound: float) -> None:
    beyond, within = MeanShift(-1.0, 1.0), MeanShift(-1.0, 1.0)
    beyond.take(value)
    within.take(bound)
    assert beyond.to_plain() == within.to_plain()


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        MeanShift(-1.0, 1.0).take(float("nan"))


def test_what_no_detector_wrote_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bins"):
        MeanShift.from_plain({**MeanShift(0, 1).to_plain(), "counts": [1]}, 0, 1)


def test_bounds_must_be_in_order() -> None:
    with pytest.raises(ValueError, match="below"):
        MeanShift(1.0, 1.0)


def test_scores_that_stay_as_they_are_are_stable() -> None:
    stability, rng = Stability(5_000), np.random.default_rng(2)
    indices = [index for each in rng.normal(-5, 2, 100_000).tolist() if (index := stability.take(each)) is not None]
    assert len(indices) == 19
    assert max(indices) < 0.02


@pytest.mark.parametrize(("mean", "spread"), [(-3.0, 2.0), (-7.0, 2.0), (-5.0, 0.1)])
def test_scores_that_change_are_not(mean: float, spread: float) -> None:
    stability, rng = Stability(5_000), np.random.default_rng(3)
    values = [*rng.normal(-5, 2, 20_000).tolist(), *rng.normal(mean, spread, 5_000).tolist()]
    indices = [index for each in values if (index := stability.take(each)) is not None]
    assert max(indices[:-1]) < 0.02
    assert indices[-1] > 0.25


def test_a_window_must_have_scores() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Stability(0)
