"""Scores made of an answer, all at once, equal what its rows say one by one."""

from math import isnan

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.features import FEATURES
from models.score import BASE, OTHER, Certainty, Contribution, Score
from streams.deciding.scorer_child import Scored
from streams.deciding.scorer_frames import TOP, Answer
from streams.wire.decision_line import contributions_told, numbers


def plain_score(answer: Answer, row: int) -> Score:
    probability = float(answer.probabilities[row])
    legitimate, fraud = (float(each) for each in answer.p_values[row])
    return Score(
        fraud_probability=probability,
        model_version="m-1",
        told=[int(each) for each in answer.features[row]],
        log_odds=[float(each) for each in answer.log_odds[row]],
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
    assert all(type(added) is float for score in scores for added in score.log_odds)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_what_a_decision_tells_of_a_score_is_what_the_score_says(seed: int, rows: int) -> None:
    chance = np.random.default_rng(seed)
    log_odds = chance.normal(size=(rows, TOP + 2))
    features = chance.integers(0, len(FEATURES), (rows, TOP)).tolist()
    for told, added, row in zip(features, log_odds.tolist(), numbers(log_odds), strict=True):
        score = Score(0.5, "m-1", None, told, added)
        names = [FEATURES[each] for each in told] + [OTHER, BASE]
        expected = [Contribution(feature=name, log_odds=each) for name, each in zip(names, added, strict=True)]
        assert list(score.contributions) == expected
        assert msgspec.json.decode(contributions_told(told, row), type=list[Contribution]) == expected
