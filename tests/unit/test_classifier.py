"""What every family of models promises."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.labelled_rows import AMOUNT, labelled_rows
from support.plain_model import log_odds

from models import boosted, online
from models.classifier import Classifier, family_of, goes_on, restored, untaught
from models.evaluation import auc
from models.family import Family
from models.features import FEATURES
from models.linear import LinearScorer
from models.online import FeaturesInvalid, OnlineModel
from models.river_model import RiverModel
from models.snapshot import Snapshot, SnapshotInvalid, for_scoring, from_plain, probability, to_plain
from models.verifying import verify

every_family = pytest.mark.parametrize("family", Family)
wild_rows = st.lists(st.floats(-1e300, 1e300), min_size=len(FEATURES), max_size=len(FEATURES))
COUNT = 1_600  # with hinges and two trees


def learn(model: Classifier, rows: Sequence[Sequence[float]], frauds: Sequence[bool]) -> None:
    for row, is_fraud in zip(rows, frauds, strict=True):
        model.learn(row, is_fraud=is_fraud)


def taught(family: Family, count: int = COUNT) -> Classifier:
    model = untaught(family)
    learn(model, *labelled_rows(count))
    return model


@cache
def snapshot(family: Family) -> Snapshot:
    return taught(family).snapshot()


def through_json(taken: Snapshot) -> Snapshot:
    return from_plain(json.loads(json.dumps(to_plain(taken))))


@every_family
def test_scoring_teaches_it_nothing(family: Family) -> None:
    model = restored(snapshot(family), family)
    for row in labelled_rows(50)[0]:
        model.score(row)
    assert model.snapshot() == snapshot(family)


@every_family
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_a_row_that_is_not_finite_is_refused_and_nothing_learnt(family: Family, poison: float) -> None:
    model = restored(snapshot(family), family)
    row = [1.0] * len(FEATURES)
    row[AMOUNT] = poison
    with pytest.raises(FeaturesInvalid, match="amount"):
        model.learn(row, is_fraud=True)
    with pytest.raises(FeaturesInvalid, match="amount"):
        model.score(row)
    assert model.snapshot() == snapshot(family)


@every_family
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(learnt=st.lists(st.tuples(wild_rows, st.booleans()), min_size=1, max_size=10), row=wild_rows)
def test_what_is_finite_has_a_finite_score_whatever_was_learnt(
    family: Family, learnt: list[tuple[list[float], bool]], row: list[float]
) -> None:
    model = restored(snapshot(family), family)
    for wild, is_fraud in learnt:
        model.learn(wild, is_fraud=is_fraud)
    learn(model, *labelled_rows(400 - len(learnt), seed=5))  # to the next tree
    assert 0.0 <= model.score(row) <= 1.0
    verify(model.snapshot())


@every_family
@pytest.mark.parametrize("count", [0, 1, 999, COUNT])
def test_a_snapshot_restores_it_bit_by_bit(family: Family, count: int) -> None:
    model = taught(family, count)
    again = restored(through_json(model.snapshot()), family)
    assert again.snapshot() == model.snapshot()
    for each in (model, again):
        learn(each, *labelled_rows(1_200, seed=11))
    assert again.snapshot() == model.snapshot()
    assert family_of(model.snapshot()) is family


@every_family
def test_the_order_of_features_is_of_no_account(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, frauds = labelled_rows(COUNT)
    asked = labelled_rows(50, seed=9)[0]
    expected = [restored(snapshot(family), family).score(row) for row in asked]
    order = np.random.default_rng(1).permutation(len(FEATURES))
    for module in (online, boosted):
        monkeypatch.setattr(module, "FEATURES", tuple(FEATURES[index] for index in order))
    model = untaught(family)
    learn(model, np.array(rows)[:, order].tolist(), frauds)
    assert [model.score(row) for row in np.array(asked)[:, order].tolist()] == pytest.approx(expected, abs=1e-9)


@every_family
def test_it_says_what_its_snapshot_says_in_arrays_in_plain_form_and_in_river(family: Family) -> None:
    model = restored(snapshot(family), family)
    rows = labelled_rows(100, seed=3)[0]
    expected = [model.score(row) for row in rows]
    river = RiverModel(snapshot(family))
    assert LinearScorer(snapshot(family)).score(np.array(rows)).probabilities == pytest.approx(expected, abs=1e-9)
    assert [probability(log_odds(snapshot(family), row)) for row in rows] == pytest.approx(expected, abs=1e-9)
    assert [river.score(row) for row in rows] == pytest.approx(expected, abs=1e-9)


@every_family
def test_contributions_and_the_base_add_up_to_the_log_odds(family: Family) -> None:
    rows = labelled_rows(100, seed=3)[0]
    scorer = LinearScorer(snapshot(family))
    expected = [log_odds(snapshot(family), row) for row in rows]
    assert scorer.contributions(np.array(rows)).sum(axis=1) + scorer.base == pytest.approx(expected, abs=1e-9)


@every_family
def test_it_learns_to_tell_fraud_and_how_likely_it_is(family: Family) -> None:
    rows, frauds = labelled_rows(2_000, seed=8)
    model = taught(family, 6_000)
    told = np.array([model.score(row) for row in rows])
    assert auc(np.array(frauds), told) > 0.7  # knowing the truth gives 0.77
    assert told.mean() == pytest.approx(np.mean(frauds), rel=0.2)


@every_family
def test_a_full_snapshot_stays_under_a_megabyte(family: Family) -> None:
    assert len(json.dumps(to_plain(snapshot_of_many(family)))) < 1_000_000


def snapshot_of_many(family: Family) -> Snapshot:
    """Taught beyond what samples hold: half of these are fraud, and nobody can tell which."""
    model, chance = untaught(family), np.random.default_rng(3)
    rows = labelled_rows(6_500)[0]
    learn(model, rows, (chance.random(len(rows)) < 0.5).tolist())
    return model.snapshot()


@pytest.mark.parametrize("was", Family)
@pytest.mark.parametrize("wanted", Family)
def test_only_between_a_forest_alone_and_the_others_there_is_no_way(was: Family, wanted: Family) -> None:
    model = restored(snapshot(was), wanted)
    related = (was is Family.FOREST) is (wanted is Family.FOREST)
    assert goes_on(snapshot(was), wanted) is related
    assert family_of(model.snapshot()) is (wanted if related else was)


@every_family
def test_a_scorer_scores_the_same_without_what_only_learners_need(family: Family) -> None:
    given = from_plain(json.loads(json.dumps(for_scoring(to_plain(snapshot(family))))), to_learn=False)
    assert (given.forest, given.sample) == (None, {})
    rows = np.array(labelled_rows(100, seed=3)[0])
    told, expected = (scorer.score(rows).log_odds for scorer in (verify(given), LinearScorer(snapshot(family))))
    assert told.tolist() == expected.tolist()


def test_a_learner_takes_no_forest_that_was_left_out_or_altered() -> None:
    plain = to_plain(snapshot(Family.BLEND))
    for change in ({"forest": {**plain["forest"], "grown": 0}}, {"forest": None}):
        with pytest.raises(SnapshotInvalid, match="learner's part"):
            from_plain(plain | change)
    with pytest.raises(SnapshotInvalid, match="learner's part"):
        from_plain({name: part for name, part in plain.items() if name != "forest"})


def test_trees_that_are_not_finite_or_without_what_they_grow_from_are_refused() -> None:
    sound = snapshot(Family.BLEND)
    assert sound.trees is not None
    spoilt = replace(sound.trees, values=np.full_like(sound.trees.values, np.nan))
    with pytest.raises(SnapshotInvalid, match="not finite"):
        verify(replace(sound, trees=spoilt))
    with pytest.raises(SnapshotInvalid, match="without"):
        verify(replace(sound, trees=None))
    elsewhere = replace(sound.trees, features=np.full_like(sound.trees.features, len(FEATURES)))
    with pytest.raises(SnapshotInvalid, match="a feature"):
        from_plain(to_plain(replace(sound, trees=elsewhere)))


def test_a_blend_begins_as_the_logistic_regression_that_it_grows_on_and_ends_as_one() -> None:
    regression = snapshot(Family.LOGISTIC)
    begun = restored(regression, Family.BLEND)
    alone = restored(snapshot(Family.BLEND), Family.LOGISTIC)
    for row in labelled_rows(20)[0]:
        assert begun.score(row) == OnlineModel.from_snapshot(regression).score(row)
    assert alone.snapshot() == regression
