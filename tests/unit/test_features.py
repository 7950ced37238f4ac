"""The 28 features: the Handbook's definitions, and numbers that stay sane whatever comes."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.currency import minor_per_major
from models.daily import window_sum
from models.features import FEATURES, OLDEST_DAYS, features
from models.merchant_history import MerchantHistory, learn
from models.profile import RING_SIZE, Profile

DAY = 86_400
MONDAY = 17_623 * DAY  # 2018-04-02 00:00 UTC
NOON = MONDAY + DAY // 2


def named(at=NOON, amount=1_000, currency="EUR", profile=None, merchant=None, card_fraud_at=None):
    row = features(at, amount, currency, profile or Profile(), merchant, card_fraud_at)
    return dict(zip(FEATURES, row, strict=True))


def profile_of(*seen: tuple[int, int]) -> Profile:
    profile = Profile()
    for number, (at, amount) in enumerate(seen):
        profile.observe(at, amount, number, number)
    return profile


def history_of(*labels: tuple[float, bool]) -> MerchantHistory:
    history = MerchantHistory()
    for at, is_fraud in labels:
        history = learn(history, at, is_fraud=is_fraud)
    return history


def test_there_are_28_features_and_none_twice():
    assert len(FEATURES) == len(set(FEATURES)) == 28


@pytest.mark.parametrize(
    ("currency", "amount"), [("EUR", 123.45), ("JPY", 12_345.0), ("KWD", 12.345), ("CLF", 1.2345), ("XXX", 123.45)]
)
def test_amounts_are_in_major_units_of_their_currency(currency, amount):
    told = named(amount=12_345, currency=currency)
    assert told["amount"] == told["card_mean_1d"] == told["card_mean_30d"] == pytest.approx(amount)


@pytest.mark.parametrize("currency", ["JPY", "KRW", "VND", "CLP", "ISK"])
def test_some_currencies_have_no_minor_unit(currency):
    assert minor_per_major(currency) == 1


@pytest.mark.parametrize(("days", "weekend"), [(-1, 1.0), (0, 0.0), (4, 0.0), (5, 1.0), (6, 1.0), (7, 0.0)])
def test_saturday_and_sunday_are_the_weekend(days, weekend):
    assert named(at=MONDAY + days * DAY + 100)["is_weekend"] == weekend


@pytest.mark.parametrize(("hour", "night"), [(0, 1.0), (6.99, 1.0), (7, 0.0), (23.9, 0.0)])
def test_the_night_ends_at_seven(hour, night):
    assert named(at=MONDAY + hour * 3_600)["is_night"] == night


def test_counts_and_means_include_the_present_transaction():
    told = named(amount=3_000, profile=profile_of((NOON - 60, 1_000)))
    assert [told[f"card_count_{window}"] for window in ("1d", "7d", "30d")] == [2.0, 2.0, 2.0]
    assert [told[f"card_mean_{window}"] for window in ("1d", "7d", "30d")] == [20.0, 20.0, 20.0]


def test_the_day_is_counted_to_the_second():
    assert named(profile=profile_of((NOON - DAY + 1, 100)))["card_count_1d"] == 2.0
    assert named(profile=profile_of((NOON - DAY, 100)))["card_count_1d"] == 1.0


def test_a_full_ring_counts_the_day_by_its_buckets():
    crowded = profile_of(*((NOON - 600 + k, 100) for k in range(3 * RING_SIZE)))
    assert named(profile=crowded)["card_count_1d"] == 3 * RING_SIZE + 1


def test_the_oldest_day_of_a_window_counts_by_the_part_still_inside():
    profile = profile_of((NOON - 7 * DAY, 100))
    assert named(at=NOON, profile=profile)["card_count_7d"] == pytest.approx(1.5)
    assert named(at=NOON + DAY // 4, profile=profile)["card_count_7d"] == pytest.approx(1.25)
    assert named(at=NOON + DAY, profile=profile)["card_count_7d"] == 1.0


@settings(deadline=None)
@given(st.lists(st.integers(0, 100), min_size=31, max_size=31), st.integers(-5, 40), st.integers(0, DAY - 1))
def test_a_rolling_window_equals_a_sum_over_its_days(buckets, later, second):
    newest = 20_000
    at = (newest + later) * DAY + second
    plain = sum(
        count * max(0.0, min(1.0, (newest - index + 1) - (at / DAY - 7)))
        for index, count in enumerate(buckets)
        if newest - index <= newest + later
    )
    assert window_sum(buckets, -later, 1 - second / DAY, 7) == pytest.approx(plain)


def test_a_new_card_has_no_habit_to_break():
    told = named(amount=10**12)
    assert (told["amount_ratio"], told["amount_z"], told["card_history"], told["card_max_ratio_7d"]) == (1, 0, 0, 0)


def test_a_large_amount_shows_in_ratio_and_deviation_and_stays_in_the_peak():
    profile = profile_of(*((NOON - DAY + k * 60, 1_000 + k % 7 * 50) for k in range(100)))
    told = named(amount=6_000, profile=profile)
    assert told["amount_ratio"] > 4
    assert told["amount_z"] > 10
    profile.observe(NOON, 6_000, 999, 999)
    assert named(at=NOON + 3 * DAY, profile=profile)["card_max_ratio_7d"] > 4
    assert named(at=NOON + 3 * DAY, profile=profile)["card_big_14d"] == 1.0
    assert named(at=NOON + 9 * DAY, profile=profile)["card_max_ratio_7d"] == 0.0


def test_fraud_of_the_card_is_known_for_thirty_days():
    assert named(card_fraud_at=NOON - 30 * DAY + 1)["card_fraud_known"] == 1.0
    assert named(card_fraud_at=NOON - 30 * DAY)["card_fraud_known"] == 0.0
    assert named()["card_fraud_known"] == 0.0


def test_an_unpublished_merchant_has_no_risk_and_the_oldest_ages():
    told = named(merchant=None)
    assert told["merchant_risk_30d"] == told["merchant_fraud_run"] == told["merchant_count_30d"] == 0.0
    assert told["merchant_fraud_age"] == told["merchant_legit_age"] == OLDEST_DAYS


def test_merchant_risk_is_the_share_of_fraud_among_labels_that_had_time_to_mature():
    history = history_of((NOON - 12 * DAY, False), (NOON - 10 * DAY, True), (NOON - 9 * DAY, True))
    told = named(merchant=history)
    assert (told["merchant_count_7d"], told["merchant_risk_7d"]) == (3.0, pytest.approx(2 / 3))
    assert (told["merchant_count_1d"], told["merchant_risk_1d"]) == (0.0, 0.0)


def test_fraud_reported_early_counts_at_once():
    told = named(merchant=history_of((NOON - DAY, True)))
    assert (told["merchant_count_1d"], told["merchant_risk_1d"]) == (1.0, 1.0)


def test_merchant_labels_tell_the_run_and_the_ages():
    history = history_of((NOON - 12 * DAY, False), (NOON - 10 * DAY, True), (NOON - 9 * DAY, True))
    told = named(merchant=history)
    assert (told["merchant_fraud_run"], told["merchant_fraud_run_age"]) == (2.0, 10.0)
    assert (told["merchant_legit_age"], told["merchant_fraud_age"]) == (12.0, 9.0)
    assert (told["merchant_last_was_fraud"], told["merchant_risk_last3"]) == (1.0, pytest.approx(2 / 3))


moments = st.floats(0, 4_102_444_800)
amounts = st.integers(1, 10**12)


@settings(deadline=None)
@given(
    st.lists(st.tuples(moments, amounts), max_size=40),
    st.lists(st.tuples(moments, st.booleans()), max_size=20),
    moments,
    amounts,
    st.sampled_from(["EUR", "JPY", "KWD"]),
    st.none() | moments,
)
def test_every_feature_is_finite_and_bounded_whatever_comes(seen, labels, at, amount, currency, card_fraud_at):
    row = features(at, amount, currency, profile_of(*seen), history_of(*labels), card_fraud_at)
    assert len(row) == len(FEATURES)
    assert all(isinstance(value, float) and math.isfinite(value) and abs(value) <= 1e12 for value in row)
