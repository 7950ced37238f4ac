"""The forest: it learns what is left to say, keeps its size, and grows the same trees again."""

import numpy as np
import pytest

from models.case_control import CaseControl
from models.evaluation import auc
from models.forest import LABELS_A_TREE, TREES, Forest, LogOdds
from models.hinges import Matrix

NAMES = ("amount", "hour", "age", "place")


def crossed(count: int, *, seed: int) -> tuple[Matrix, list[bool]]:
    """Fraud is likely where one of two features is high, and not where both are: no sum of the two can say so."""
    chance = np.random.default_rng(seed)
    rows = chance.random((count, len(NAMES)))
    odd = (rows[:, 0] > 0.6) != (rows[:, 3] > 0.4)
    return rows, (chance.random(count) < np.where(odd, 0.6, 0.05)).tolist()


def nothing(rows: Matrix) -> Matrix:
    return np.zeros(len(rows))


def all_of_it(rows: Matrix) -> Matrix:
    odd = (rows[:, 0] > 0.6) != (rows[:, 3] > 0.4)
    return np.log(np.where(odd, 0.6 / 0.4, 0.05 / 0.95))


def learn(forest: Forest, count: int, *, seed: int = 1, beneath: LogOdds = nothing) -> Forest:
    rows, frauds = crossed(count, seed=seed)
    for row, told, is_fraud in zip(rows, beneath(rows).tolist(), frauds, strict=True):
        forest.learn(row, told=told, is_fraud=is_fraud, beneath=beneath)
    return forest


def test_it_says_what_no_sum_of_features_can() -> None:
    rows, frauds = crossed(2_000, seed=2)
    forest = learn(Forest(NAMES), 20 * LABELS_A_TREE)
    assert auc(np.array(frauds), forest.trees.log_odds_of(rows)) > 0.8  # knowing the truth gives 0.85


def test_its_log_odds_are_those_of_all_rows_and_not_of_the_sample() -> None:
    rows, frauds = crossed(4_000, seed=2)
    forest = learn(Forest(NAMES), (TREES + 10) * LABELS_A_TREE)
    told = 1 / (1 + np.exp(-forest.trees.log_odds_of(rows)))
    assert told.mean() == pytest.approx(np.mean(frauds), abs=0.04)  # of the sample about half are frauds


def test_where_all_is_said_beneath_it_adds_next_to_nothing() -> None:
    rows, _ = crossed(2_000, seed=2)
    forest = learn(Forest(NAMES), 20 * LABELS_A_TREE, beneath=all_of_it)
    assert np.abs(forest.trees.log_odds_of(rows)).mean() < 0.3


def test_rows_are_kept_with_what_the_whole_model_told_of_them() -> None:
    forest = learn(Forest(NAMES), 2 * LABELS_A_TREE)
    rows = crossed(LABELS_A_TREE - 1, seed=3)[0]
    learn(forest, len(rows), seed=3)
    _, told, _ = CaseControl.from_plain(forest.to_plain()["sample"], of=len(NAMES)).held()
    assert set(told[-50:].tolist()) <= set(forest.trees.log_odds_of(rows).tolist())


def test_it_grows_a_tree_at_a_time_and_keeps_its_size() -> None:
    forest = learn(Forest(NAMES), 3 * LABELS_A_TREE - 1)
    assert len(forest.trees) == 2
    learn(forest, TREES * LABELS_A_TREE, seed=3)
    assert len(forest.trees) == TREES


def test_before_there_are_frauds_enough_nothing_grows() -> None:
    forest = Forest(NAMES)
    for row in crossed(2 * LABELS_A_TREE, seed=1)[0]:
        forest.learn(row, told=0.0, is_fraud=False, beneath=nothing)
    assert len(forest.trees) == 0


def test_the_order_of_names_is_of_no_account() -> None:
    order = [2, 0, 3, 1]
    forest = learn(Forest(NAMES), 4 * LABELS_A_TREE)
    another = Forest([NAMES[index] for index in order])
    for row, is_fraud in zip(*crossed(4 * LABELS_A_TREE, seed=1), strict=True):
        another.learn(row[order], told=0.0, is_fraud=is_fraud, beneath=nothing)
    rows = crossed(100, seed=5)[0]
    assert len(another.trees) == 4
    assert another.trees.log_odds_of(rows[:, order]).tolist() == forest.trees.log_odds_of(rows).tolist()


@pytest.mark.parametrize("before", [7, LABELS_A_TREE - 1, 2 * LABELS_A_TREE + 20])
def test_it_grows_the_same_trees_after_a_restart_at_any_label(before: int) -> None:
    """Two restarts among labels that wait for each other; the one beside it is never looked at."""
    forest, beside = learn(Forest(NAMES), before), learn(Forest(NAMES), before)
    for seed in (4, 5):
        forest = Forest.from_plain(forest.to_plain(), forest.trees, NAMES)
        for each in (forest, beside):
            learn(each, LABELS_A_TREE + 3, seed=seed)
    assert len(forest.trees) >= 2
    assert forest.trees == beside.trees
    assert forest.to_plain() == beside.to_plain()
