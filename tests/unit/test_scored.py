"""Scores made of an answer, all at once, equal what its rows say one by one."""

from math import isnan

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.features import FEATURES
from models.score import BASE, OTHER, Certainty, Contribution, Score
from streams.deciding.scorer_child import Scored
from streams.deciding.scorer_frames import TOP, Answer


def plain_score(answer: Answer, row: int) -> Score:
    probability = float(answer.probabilities[row])
    names = [FEATURES[each] for each in answer.features[row]] + [OTHER, BASE]
    legitimate, fraud = (float(each) for each in answer.p_values[row])
    return Score(
        fraud_probability=probability,
        model_version="m-1",
        contributions=tuple(
            Contribution(feature=name, log_odds=float(added))
            for name, added in zip(names, answer.log_odds[row], strict=True)
        ),
        certainty=None
        if isnan(legitimate)
        else Certainty(
            legitimate=legitimate,
            fraud=fraud,
            approvable=probability < answer.bounds[0],
            blockable=probability >= answer.bounds[1],
        ),
    )


@given(st.integers(0, 2**32 - 1), st.integers(0, 5), st.booleans(), st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_all_at_once_they_say_what_each_row_says(
    seed: int, rows: int, is_certain: bool, bounds: tuple[float, float]
) -> None:
    chance = np.random.default_rng(seed)
    answer = Answer(
        question=1,
        bounds=bounds,
        probabilities=chance.random(rows),
        log_odds=chance.normal(size=(rows, TOP + 2)),
        p_values=chance.random((rows, 2)) if is_certain else np.full((rows, 2), np.nan),
        features=chance.integers(0, len(FEATURES), (rows, TOP)).astype("<u2"),
    )
    scores = Scored(answer, "m-1").scores()
    assert scores == [plain_score(answer, row) for row in range(rows)]
    assert all(type(each.log_odds) is float for score in scores for each in score.contributions)
