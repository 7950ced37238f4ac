"""Conformal p-values: valid where payments of a class come in random order, and in the order of the scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.conformal import (
    BINS,
    FRAUDS_REMEMBERED,
    LEAST_FRAUDS,
    LEAST_LEGITIMATE,
    Outcomes,
    bin_of,
    bins_of,
)

probabilities = st.floats(0.0, 1.0)
known = st.lists(st.tuples(probabilities, st.booleans()), max_size=60)


def outcomes_of(scored: list[tuple[float, bool]]) -> Outcomes:
    outcomes = Outcomes()
    for probability, is_fraud in scored:
        outcomes.add(bin_of(probability), is_fraud=is_fraud)
    return outcomes


@given(st.lists(probabilities))
def test_many_are_put_into_the_bins_that_each_is_put_into(many: list[float]) -> None:
    assert bins_of(np.array(many, dtype=float)).tolist() == [bin_of(each) for each in many]


@given(probabilities, probabilities)
def test_a_higher_score_is_in_no_lower_bin(one: float, other: float) -> None:
    lower, higher = sorted((one, other))
    assert 0 <= bin_of(lower) <= bin_of(higher) < BINS


@given(known)
def test_p_values_are_in_the_order_of_the_scores(scored: list[tuple[float, bool]]) -> None:
    legitimate, fraud = outcomes_of(scored).p_values().T
    assert (np.diff(legitimate) <= 0).all()
    assert (np.diff(fraud) >= 0).all()
    assert legitimate[0] == fraud[-1] == 1.0
    assert min(legitimate[-1], fraud[0]) > 0.0


@given(known)
def test_a_p_value_is_the_share_of_its_class_that_is_as_strange_the_payment_itself_among_them(
    scored: list[tuple[float, bool]],
) -> None:
    p_values = outcomes_of(scored).p_values()
    frauds = [bin_of(score) for score, is_fraud in scored if is_fraud]
    others = [bin_of(score) for score, is_fraud in scored if not is_fraud]
    for place in {0, BINS - 1, *frauds, *others}:
        as_fraud = (sum(each <= place for each in frauds) + 1) / (len(frauds) + 1)
        as_other = (sum(each >= place for each in others) + 1) / (len(others) + 1)
        assert p_values[place].tolist() == pytest.approx([as_other, as_fraud])


@pytest.mark.parametrize("is_fraud", [True, False])
def test_p_values_of_payments_in_random_order_are_valid(is_fraud: bool) -> None:
    """At most e with a probability of at most e, however payments have aged."""
    chance = np.random.default_rng(5)
    trials, told = 4_000, []
    for _ in range(trials):
        outcomes = Outcomes()
        *past, present = chance.beta(2, 5, 60).tolist()
        for number, score in enumerate(past):
            if number % 10 == 0:
                outcomes.age()
            outcomes.add(bin_of(score), is_fraud=is_fraud)
        told.append(outcomes.p_values()[bin_of(present)][int(is_fraud)])
    for level in (0.02, 0.05, 0.1, 0.2, 0.5):
        sampling = 3 * (level * (1 - level) / trials) ** 0.5
        assert np.mean(np.array(told) <= level) <= level + sampling


@given(known, known)
def test_two_that_aged_together_are_merged_into_one_that_knows_it_all(
    one: list[tuple[float, bool]], other: list[tuple[float, bool]]
) -> None:
    merged = Outcomes.merged([outcomes_of(one), outcomes_of(other)])
    assert np.array_equal(merged.p_values(), outcomes_of(one + other).p_values())


def test_what_is_old_is_forgotten() -> None:
    outcomes = outcomes_of([(0.9, True)] * 5)
    for _ in range(40 * FRAUDS_REMEMBERED):
        outcomes.age()
    assert not outcomes.fraud.any()


def test_it_must_know_enough_of_either_class() -> None:
    outcomes = outcomes_of([(0.9, True)] * LEAST_FRAUDS + [(0.1, False)] * (LEAST_LEGITIMATE - 1))
    assert not outcomes.suffice
    outcomes.add(0, is_fraud=False)
    assert outcomes.suffice
