"""Trees as arrays: against walking them node by node, and refused where they are broken."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.plain_model import walked

from models.packed import packed
from models.trees import INNER, NEVER, NODES, Trees, no_trees

FEATURES = 5


def some_trees(count: int, *, seed: int = 1) -> Trees:
    """Of which every fourth node does not split."""
    chance = np.random.default_rng(seed)
    thresholds = chance.normal(0.0, 1.0, (count, INNER))
    return Trees(
        features=chance.integers(0, FEATURES, (count, INNER)),
        thresholds=np.where(chance.random((count, INNER)) < 0.25, NEVER, thresholds),
        values=chance.normal(0.0, 1.0, (count, NODES)),
    )


some_rows = st.lists(st.lists(st.floats(-3, 3), min_size=FEATURES, max_size=FEATURES), min_size=1, max_size=8)


@settings(deadline=None)
@given(st.integers(0, 7), some_rows)
def test_they_say_what_a_walk_finds(count: int, rows: list[list[float]]) -> None:
    trees = some_trees(count)
    expected = [walked(trees, row) for row in rows]
    assert trees.log_odds_of(np.array(rows)) == pytest.approx([told for told, _ in expected])
    assert trees.contributions(np.array(rows)) == pytest.approx(np.array([moved for _, moved in expected]))


@settings(deadline=None)
@given(st.integers(0, 7), some_rows)
def test_contributions_and_the_base_add_up_to_what_they_say(count: int, rows: list[list[float]]) -> None:
    trees = some_trees(count)
    added = trees.contributions(np.array(rows)).sum(axis=1) + trees.base
    assert added == pytest.approx(trees.log_odds_of(np.array(rows)))


@settings(deadline=None)
@given(st.integers(0, 50), some_rows)
def test_what_they_say_of_a_row_is_the_same_bit_by_bit_whatever_stands_beside_it(
    count: int, rows: list[list[float]]
) -> None:
    trees = some_trees(count)
    alone = [trees.log_odds_of(np.array([row]))[0] for row in rows]
    assert trees.log_odds_of(np.array(rows)).tolist() == alone


def test_no_trees_say_nothing() -> None:
    assert no_trees().log_odds_of(np.ones((2, FEATURES))).tolist() == [0.0, 0.0]
    assert no_trees().contributions(np.ones((2, FEATURES))).tolist() == [[0.0] * FEATURES] * 2


def test_the_newest_takes_the_place_of_the_oldest() -> None:
    trees, another = some_trees(3), some_trees(1, seed=2)
    kept = trees.newest(2).followed_by(another)
    assert len(kept) == 3
    assert kept.values.tolist() == [*trees.values.tolist()[1:], *another.values.tolist()]
    assert trees.newest(5) == trees


def test_they_come_back_from_plain_data() -> None:
    assert Trees.from_plain(some_trees(3).to_plain(), of=FEATURES) == some_trees(3)
    assert some_trees(3) != some_trees(3, seed=2)


@pytest.mark.parametrize("name", ["thresholds", "values"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_a_number_beyond_all_measure_is_refused(name: str, value: float) -> None:
    numbers = getattr(some_trees(2), name).copy()
    numbers[1, 3] = value
    with pytest.raises(ValueError, match="beyond"):
        replace(some_trees(2), **{name: numbers}).verify(of=FEATURES)


@pytest.mark.parametrize("feature", [-1, FEATURES])
def test_a_feature_that_there_is_not_is_refused(feature: int) -> None:
    features = some_trees(2).features.copy()
    features[0, 0] = feature
    with pytest.raises(ValueError, match="a feature"):
        replace(some_trees(2), features=features).verify(of=FEATURES)


def test_trees_in_part_are_refused() -> None:
    with pytest.raises(ValueError, match="in part"):
        replace(some_trees(2), values=some_trees(1).values).verify(of=FEATURES)
    with pytest.raises(ValueError, match="in part"):
        Trees.from_plain({**some_trees(2).to_plain(), "values": packed(np.zeros(NODES))}, of=FEATURES)


def test_a_feature_weighs_what_its_splits_move() -> None:
    values = np.zeros((1, NODES))
    values[0, 1], values[0, 2] = -0.5, 1.0
    trees = Trees(features=np.full((1, INNER), 3), thresholds=np.full((1, INNER), NEVER), values=values)
    trees.thresholds[0, 0] = 0.0
    assert trees.moves == {3: 1.5}
