"""The sample of what surprised: what is told wrongly is taken, the newest stay, and it comes back as it was."""

import json

import numpy as np
import pytest

from models.case_control import CAPACITY, CaseControl

FEATURES = 3


def offered(count: int, *, surprise: float, sample: CaseControl | None = None) -> CaseControl:
    """So many rows, every third of them a fraud, each with this chance to be taken."""
    sample = sample or CaseControl(FEATURES)
    numbers = np.arange(count)
    rows = np.repeat(numbers[:, None] % 1_000.0, FEATURES, axis=1)
    outcomes = (numbers % 3 == 0).astype(np.float64)
    expected = 800.0 if surprise == 1.0 else np.log(surprise / (1.0 - surprise))
    sample.offer(rows, np.where(outcomes == 1.0, -expected, expected), outcomes)
    return sample


def test_what_surprises_is_taken_and_what_does_not_passes() -> None:
    assert offered(500, surprise=1.0).taken == 500
    assert offered(500, surprise=1e-30).taken == 0
    assert offered(4_000, surprise=0.25).taken == pytest.approx(1_000, rel=0.1)


def test_the_newest_stay() -> None:
    sample = offered(CAPACITY, surprise=1.0)
    offered(CAPACITY, surprise=1.0, sample=sample)
    sample.offer(np.full((1, FEATURES), -7.0), np.array([-800.0]), np.array([1.0]))
    rows, told, outcomes = sample.held()
    assert len(rows) == CAPACITY
    assert rows[0].tolist() == [-7.0] * FEATURES
    assert (told[0], outcomes[0]) == (-800.0, 1.0)


def test_frauds_are_counted_among_what_is_held() -> None:
    assert offered(300, surprise=1.0).frauds == 100


def test_half_of_them_are_drawn_each_once() -> None:
    rows, told, outcomes = offered(101, surprise=1.0).drawn(np.random.default_rng(1))
    assert (rows.shape, told.shape, outcomes.shape) == ((51, FEATURES), (51,), (51,))
    assert len(set(rows[:, 0].tolist())) == 51
    assert outcomes.tolist() == (rows[:, 0] % 3 == 0).astype(float).tolist()
    assert told.tolist() == np.where(outcomes == 1.0, -800.0, 800.0).tolist()


def test_the_chance_of_a_row_is_that_of_its_number() -> None:
    assert offered(500, surprise=0.3).to_plain() == offered(500, surprise=0.3).to_plain()


@pytest.mark.parametrize("count", [0, 10, CAPACITY + 5])
def test_it_goes_on_as_it_was_after_a_restart(count: int) -> None:
    before = offered(count, surprise=1.0)
    after = CaseControl.from_plain(json.loads(json.dumps(before.to_plain())), of=FEATURES)
    assert after.to_plain() == before.to_plain()
    offered(200, surprise=0.5, sample=before)
    offered(200, surprise=0.5, sample=after)
    assert after.to_plain() == before.to_plain()


@pytest.mark.parametrize("change", [{"rows": "AAAA"}, {"told": ""}, {"taken": 11}, {"outcomes": None}])
def test_a_sample_in_part_is_refused(change: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        CaseControl.from_plain({**offered(10, surprise=1.0).to_plain(), **change}, of=FEATURES)


def test_a_row_that_is_not_finite_is_refused() -> None:
    sample = offered(10, surprise=1.0)
    sample.offer(np.full((1, FEATURES), np.inf), np.array([-800.0]), np.array([1.0]))
    with pytest.raises(ValueError, match="not finite"):
        CaseControl.from_plain(sample.to_plain(), of=FEATURES)
