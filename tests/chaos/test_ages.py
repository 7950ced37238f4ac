"""Percentiles of ages counted by class are those of the ages, within 1 %."""

import numpy as np
import pytest
from chaos.ages import LEAST_SECONDS, classed, percentile, together
from hypothesis import given
from hypothesis import strategies as st

AGES = st.lists(st.floats(0.0, 1000.0), min_size=1, max_size=200)


@given(AGES, st.floats(0.01, 1.0))
def test_percentiles_are_within_one_percent(ages: list[float], share: float) -> None:
    exact = max(LEAST_SECONDS, float(np.percentile(ages, share * 100, method="inverted_cdf")))
    assert percentile(classed(ages), share) == pytest.approx(exact, rel=0.0101)


@given(st.lists(AGES, min_size=1, max_size=5))
def test_ages_of_several_runs_are_counted_together(runs: list[list[float]]) -> None:
    assert together(map(classed, runs)) == classed(age for run in runs for age in run)


def test_no_ages_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no ages"):
        percentile(classed([]), 0.5)
