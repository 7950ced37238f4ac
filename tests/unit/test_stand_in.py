"""Stand-in limits and the safe default: what may pass while nobody can judge."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decision import Outcome
from rules.safe_default import AmountBand, SafeDefaultPolicy
from rules.stand_in import StandInLimits

LIMITS = StandInLimits(max_amount_minor=100, max_count=3, max_sum_minor=250)


@pytest.mark.parametrize(
    ("count", "sum_minor", "amount_minor"),
    [(0, 0, 100), (2, 0, 1), (0, 150, 100), (2, 249, 1)],
)
def test_a_payment_exactly_at_a_limit_may_pass(count: int, sum_minor: int, amount_minor: int) -> None:
    assert LIMITS.allow(count=count, sum_minor=sum_minor, amount_minor=amount_minor)


@pytest.mark.parametrize(
    ("count", "sum_minor", "amount_minor"),
    [(0, 0, 101), (3, 0, 1), (0, 151, 100), (2, 250, 1)],
)
def test_a_payment_one_beyond_a_limit_may_not(count: int, sum_minor: int, amount_minor: int) -> None:
    assert not LIMITS.allow(count=count, sum_minor=sum_minor, amount_minor=amount_minor)


@given(st.lists(st.integers(1, 200)))
def test_whatever_comes_a_day_of_stand_in_stays_within_the_limits(amounts: list[int]) -> None:
    approved: list[int] = []
    for amount in amounts:
        if LIMITS.allow(count=len(approved), sum_minor=sum(approved), amount_minor=amount):
            approved.append(amount)
    assert len(approved) <= 3
    assert sum(approved) <= 250


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        StandInLimits(max_count=-1)


BANDS = SafeDefaultPolicy(
    bands=(
        AmountBand(below_minor=100, outcome=Outcome.APPROVE),
        AmountBand(below_minor=1_000, outcome=Outcome.REVIEW),
        AmountBand(outcome=Outcome.BLOCK),
    )
)


@pytest.mark.parametrize(
    ("amount_minor", "outcome"),
    [
        (1, Outcome.APPROVE),
        (99, Outcome.APPROVE),
        (100, Outcome.REVIEW),
        (999, Outcome.REVIEW),
        (1_000, Outcome.BLOCK),
        (10**12, Outcome.BLOCK),
    ],
)
def test_a_band_ends_right_below_its_bound(amount_minor: int, outcome: Outcome) -> None:
    assert BANDS.outcome_for(amount_minor) is outcome


@pytest.mark.parametrize(
    "bounds", [[], [100], [None, None], [100, 100, None], [200, 100, None], [0, None], [-5, None], [100, None, None]]
)
def test_bands_that_leave_a_gap_or_overlap_are_refused(bounds: list[int | None]) -> None:
    with pytest.raises(ValueError, match="band"):
        SafeDefaultPolicy(bands=tuple(AmountBand(below_minor=bound, outcome=Outcome.REVIEW) for bound in bounds))


def test_bands_are_read_from_plain_settings() -> None:
    plain = {"bands": [{"below_minor": 5, "outcome": "block"}, {"outcome": "approve"}]}
    assert msgspec.convert(plain, SafeDefaultPolicy).outcome_for(4) is Outcome.BLOCK


def test_bands_with_a_gap_are_refused_in_settings_too() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"bands": [{"below_minor": 5, "outcome": "block"}]}, SafeDefaultPolicy)
