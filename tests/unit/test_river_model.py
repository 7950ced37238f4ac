"""River's own model learns and says the same as the arrays, label for label, and vouches for each snapshot."""

from dataclasses import replace

import pytest
from river import linear_model, optim
from support.labelled_rows import labelled_rows, taught

from models.features import FEATURES
from models.online import FIRST_SQUARES, LEARNING_RATE, OnlineModel
from models.river_model import RiverModel, set_weights
from models.snapshot import Snapshot, SnapshotInvalid
from models.verifying import verify


class RiverLearner(RiverModel):
    """Learns as well, by River's AdaGrad; neither averages weights nor adds hinges."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot)
        columns = dict(zip(snapshot.hinges.columns, snapshot.columns, strict=True))
        optimizer = optim.AdaGrad(LEARNING_RATE, eps=FIRST_SQUARES)
        optimizer.g2.update({name: column.gradient_squares for name, column in columns.items()})
        self.learning = linear_model.LogisticRegression(optimizer)
        self.learning.intercept = snapshot.intercept
        set_weights(self.learning, {name: column.weight for name, column in columns.items()})

    def learn(self, features: list[float], *, is_fraud: bool) -> None:
        row = self.row(features)
        self.scaler.learn_one(row)
        self.learning.learn_one(self.scaled(row), is_fraud)

    def by_name(self, values: dict[str, float]) -> list[float]:
        return [float(values[name]) for name in self.hinges.columns]


def assert_same(model: OnlineModel, river: RiverLearner) -> None:
    columns = model.snapshot().columns
    close = {"rel": 1e-9, "abs": 1e-12}
    assert [each.count for each in columns] == river.by_name(river.scaler.counts)
    assert [each.mean for each in columns] == pytest.approx(river.by_name(river.scaler.means), **close)
    assert [each.variance for each in columns] == pytest.approx(river.by_name(river.scaler.vars), **close)
    assert [each.weight for each in columns] == pytest.approx(river.by_name(river.learning.weights), **close)
    assert [each.gradient_squares for each in columns] == pytest.approx(
        river.by_name(river.learning.optimizer.g2), **close
    )
    assert model.intercept == pytest.approx(river.learning.intercept, **close)


@pytest.mark.parametrize("begin", [0, 1_600])  # plain features, and with hinges
def test_it_learns_what_river_learns(begin: int) -> None:
    model = taught(begin)
    assert (len(model.hinges.columns) > len(FEATURES)) == (begin > 0)
    river = RiverLearner(model.snapshot())
    for row, is_fraud in zip(*labelled_rows(700, seed=11), strict=True):
        model.learn(row, is_fraud=is_fraud)
        river.learn(row, is_fraud=is_fraud)
    assert_same(model, river)


def test_it_learns_what_river_learns_of_rows_beyond_all_bounds() -> None:
    model = taught(200)
    river = RiverLearner(model.snapshot())
    for number, (row, is_fraud) in enumerate(zip(*labelled_rows(200, seed=12), strict=True)):
        wild = [value * (1e300 if number % 7 == 3 else -1e9 if number % 5 == 2 else 0.0) for value in row]
        model.learn(wild, is_fraud=is_fraud)
        river.learn(wild, is_fraud=is_fraud)
    assert_same(model, river)


def test_it_says_what_river_says() -> None:
    model = taught()
    river = RiverModel(model.snapshot())
    rows, _ = labelled_rows(300, seed=13)
    assert [model.score(row) for row in rows] == pytest.approx([river.score(row) for row in rows], abs=1e-9)


def test_a_snapshot_whose_arrays_say_something_else_than_river_is_refused() -> None:
    """Were the arrays wrong, the probes, which are River's, would tell."""
    sound = taught().snapshot()
    assert len(sound.probes) == 16
    verify(sound)
    columns = list(sound.columns)
    columns[0] = replace(columns[0], scored_weight=columns[0].scored_weight + 1e-6)
    with pytest.raises(SnapshotInvalid, match="a probe gives"):
        verify(replace(sound, columns=tuple(columns)))
