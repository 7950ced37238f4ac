"""Hinges: placed by the data, added without changing what the model says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.features import FEATURES
from models.hinges import MOST_KNOTS, Hinges, no_hinges, refined

NAMES = ("amount", "flag")
values = st.floats(-1e12, 1e12)


def data(count: int = 2_000, scale: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(3)
    rows = np.column_stack([chance.exponential(scale, count), chance.integers(0, 2, count)])
    return rows, rows[rows[:, 0] > 0.2 * scale]


def test_a_row_becomes_its_compressed_values_and_what_exceeds_each_knot():
    hinges = Hinges(names=NAMES, knots=((1.0, 3.0), ()))
    assert hinges.expand([np.expm1(2.0), -1.0]) == pytest.approx([2.0, -np.log(2), 1.0, 0.0])
    assert hinges.columns == ("amount", "flag", "amount>1.0", "amount>3.0")
    assert hinges.owners.tolist() == [0, 1, 0, 0]


@settings(deadline=None)
@given(st.lists(st.tuples(values, values), min_size=1, max_size=5), st.lists(st.floats(-30, 30), max_size=5))
def test_many_rows_expand_as_each_alone(rows, knots):
    hinges = Hinges(names=NAMES, knots=((), tuple(knots)))
    together = hinges.expand_rows(np.array(rows, dtype=float))
    assert np.allclose(together, [hinges.expand(row) for row in rows], rtol=1e-12, atol=1e-12)


def test_expanding_rows_leaves_them_as_they_were():
    rows, fraud = data()
    before = rows.copy()
    refined(no_hinges(NAMES), rows, fraud).expand_rows(rows)
    assert np.array_equal(rows, before)


def test_knots_lie_at_quantiles_of_fraud_and_of_all():
    rows, fraud = data()
    knots = refined(no_hinges(NAMES), rows, fraud).knots[0]
    expected = [*np.quantile(np.log1p(fraud[:, 0]), [0.25, 0.5, 0.75]), *np.quantile(np.log1p(rows[:, 0]), [0.9, 0.99])]
    assert knots == pytest.approx(sorted(expected))


def test_knots_follow_the_scale_of_the_data():
    cheap, dear = (refined(no_hinges(NAMES), *data(scale=scale)).knots[0] for scale in (1e3, 1e6))
    assert np.subtract(dear, cheap) == pytest.approx(np.log(1e3), abs=0.02)


def test_a_flag_has_no_hinges():
    assert refined(no_hinges(NAMES), *data()).knots[1] == ()


def test_a_feature_that_does_not_tell_fraud_is_not_bent():
    chance = np.random.default_rng(4)
    rows, fraud = chance.exponential(10.0, (1_000, 62)), chance.exponential(10.0, (250, 62))
    fraud[:, 7] *= 1.5
    bent = [
        index for index, knots in enumerate(refined(no_hinges(tuple(map(str, range(62)))), rows, fraud).knots) if knots
    ]
    assert 7 in bent
    assert len(bent) <= 3


def test_where_there_may_be_few_knots_they_are_those_of_what_tells_most():
    chance = np.random.default_rng(5)
    rows, fraud = chance.exponential(10.0, (1_000, 3)), chance.exponential(10.0, (250, 3)) * (1.5, 4.0, 2.0)
    plain = no_hinges(("little", "most", "more"))
    everything = refined(plain, rows, fraud).knots
    for most in range(20):
        little, best, more = refined(plain, rows, fraud, most=most).knots
        assert len(little) + len(best) + len(more) <= most
        assert best == (everything[1] if most >= len(everything[1]) else ())
    assert refined(plain, rows, fraud, most=19).knots == everything


def test_a_feature_that_tells_fraud_no_more_keeps_its_knots():
    once = refined(no_hinges(NAMES), *data())
    rows, _ = data(scale=100.0)
    assert refined(once, rows, rows[:250]) == once


def test_a_flag_whose_quantile_lies_between_its_values_has_none_either():
    rows, fraud = np.array([[0.0], [1.0]] * 500), np.array([[0.0], [1.0], [1.0], [1.0]])
    assert refined(no_hinges(("flag",)), rows, np.concatenate([fraud] * 50)).knots == ((),)


def test_the_same_data_add_nothing_twice():
    once = refined(no_hinges(NAMES), *data())
    assert refined(once, *data()) == once


def test_knots_are_added_and_never_moved_and_stay_few():
    hinges = no_hinges(NAMES)
    for scale in (10.0, 100.0, 1_000.0, 10_000.0):
        grown = refined(hinges, *data(scale=scale))
        assert set(hinges.knots[0]) <= set(grown.knots[0])
        hinges = grown
    assert len(hinges.knots[0]) == MOST_KNOTS
    assert list(hinges.knots[0]) == sorted(hinges.knots[0])


def test_knots_for_another_number_of_features_are_refused():
    with pytest.raises(ValueError, match="2 features"):
        Hinges(names=NAMES, knots=((),))


def test_no_hinges_leaves_the_features_alone():
    assert no_hinges(FEATURES).columns == FEATURES
