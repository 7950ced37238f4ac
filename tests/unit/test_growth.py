"""One tree: it splits where outcomes differ, says no more than it may, and means at each node what lies below."""

import numpy as np
import pytest

from models.growth import MOST_STEP, RATE, grown
from models.trees import INNER, NEVER, Trees


def tree_of(rows: np.ndarray, outcomes: np.ndarray, *, expected: float = 0.5, asked: tuple[int, ...] = (0, 1)) -> Trees:
    curvatures = np.full(len(rows), expected * (1 - expected))
    return grown(rows, outcomes - expected, curvatures, np.array(asked))


def rows_of(count: int = 400) -> np.ndarray:
    return np.random.default_rng(1).random((count, 2))


def test_it_splits_where_outcomes_differ() -> None:
    rows = rows_of()
    tree = tree_of(rows, (rows[:, 1] > 0.5).astype(float))
    assert tree.features[0, 0] == 1
    assert tree.thresholds[0, 0] == pytest.approx(0.5, abs=0.05)
    assert tree.log_odds_of(np.array([[0.5, 0.9]]))[0] > 0.2
    assert tree.log_odds_of(np.array([[0.5, 0.1]]))[0] < -0.2


def test_it_asks_only_for_what_it_may() -> None:
    rows = rows_of()
    tree = tree_of(rows, (rows[:, 1] > 0.5).astype(float), asked=(0,))
    assert set(tree.features[tree.thresholds < NEVER].tolist()) <= {0}


def test_what_is_explained_is_left_alone() -> None:
    rows = rows_of()
    tree = tree_of(rows, np.full(len(rows), 0.5))
    assert (tree.thresholds == NEVER).all()
    assert tree.log_odds_of(rows).tolist() == [0.0] * len(rows)


def test_a_few_rows_make_no_side_of_their_own() -> None:
    rows = np.zeros((100, 2))
    rows[:5, 0] = 1.0
    tree = tree_of(rows, rows[:, 0])
    assert (tree.thresholds == NEVER).all()


def test_a_leaf_says_no_more_than_a_bounded_step() -> None:
    rows = rows_of()
    tree = tree_of(rows, np.ones(len(rows)), expected=1e-9)
    assert tree.log_odds_of(rows) == pytest.approx(RATE * MOST_STEP)


def test_a_node_means_what_lies_below() -> None:
    rows = rows_of()
    tree = tree_of(rows, (rows[:, 1] > 0.3).astype(float))
    assert tree.base == pytest.approx(tree.log_odds_of(rows).mean())
    assert np.isfinite(tree.values).all()
    assert (tree.thresholds[:, :INNER] < NEVER).any()


def test_without_rows_there_is_nothing_to_say() -> None:
    tree = tree_of(np.zeros((1, 2)), np.zeros(1))
    assert tree.log_odds_of(np.zeros((1, 2)))[0] == pytest.approx(RATE * -0.5 / 1.25)
