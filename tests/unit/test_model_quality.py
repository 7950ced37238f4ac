"""Quality by day, from samples of topics: what is read, what is not, and what it says."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.in_memory_cluster import InMemoryCluster
from support.shown import modelled

from models.curves import Bin
from rules.appraisal import NothingToAppraise
from streams.overseeing import model_quality
from streams.overseeing.model_quality import ModelQuality, measure
from streams.reviewing.web.chart import PLOT, calibration, over_time
from streams.settings import Settings

NOW = datetime(2026, 1, 22, 12, tzinfo=UTC)


async def measured(cluster: InMemoryCluster) -> ModelQuality:
    async with cluster.reading() as consumer:
        return await measure(consumer, Settings(), NOW)


async def test_days_on_which_labels_had_their_time_are_measured_and_no_others() -> None:
    cluster = InMemoryCluster()
    modelled(cluster, NOW)
    found = await measured(cluster)
    assert [str(found.days[place].day) for place in (0, -1)] == ["2026-01-01", "2026-01-15"]
    assert sum(each.payments for each in found.days) == pytest.approx(14 * 1440 / 7, abs=2)
    assert all(0.2 < each.average_precision < 0.9 for each in found.days)
    assert all(abs(each.mean_probability - each.fraud_share) < 0.2 for each in found.bins)


async def test_of_a_day_no_more_is_read_than_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_quality, "MOST_IN_SLICE", 24)  # one of each partition
    cluster = InMemoryCluster()
    modelled(cluster, NOW)
    found = await measured(cluster)
    assert sum(each.payments for each in found.days) <= 14 * 4 * 3


async def test_too_many_labels_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_quality, "MOST_LABELS", 10)
    cluster = InMemoryCluster()
    modelled(cluster, NOW)
    with pytest.raises(NothingToAppraise):
        await measured(cluster)


@given(st.floats(0, 1), st.floats(0, 1))
def test_dots_lie_on_the_plot_and_on_its_diagonal_where_scores_are_right(said: float, were: float) -> None:
    [dot, right] = calibration([Bin(count=1, mean_probability=said, fraud_share=each) for each in (were, said)])
    assert 0 <= dot.x <= PLOT
    assert 0 <= dot.y <= PLOT
    assert right.x + right.y == pytest.approx(PLOT, abs=0.2)


def test_a_line_is_broken_where_nothing_is_known() -> None:
    assert len(over_time([0.1, 0.2, math.nan, 0.3])) == 2
    assert over_time([math.nan]) == []
