"""The features: the Handbook's definitions, and numbers that stay sane whatever comes."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.plain_features import plain_features

from models.activity import activity
from models.circumstances import CIRCUMSTANCES
from models.currency import minor_per_major
from models.daily import window_sum
from models.features import FEATURES, OLDEST_DAYS, features
from models.marks import NO_MARKS, Marks, mark, marks_of
from models.merchant_history import MerchantHistory, learn
from models.profile import RING_SIZE, Profile
from models.warm_up import Payment

DAY = 86_400
MONDAY = 17_623 * DAY  # 2018-04-02 00:00 UTC
NOON = MONDAY + DAY // 2


def row_of(at, paid, profile, merchant, card_fraud_at):
    marks = marks_of(paid)
    return features(at, paid, marks, profile, activity(at, profile, marks.merchant), merchant, card_fraud_at)


def named(at=NOON, amount=1_000, currency="EUR", profile=None, history=None, card_fraud_at=None, **told):
    paid = Payment(at, "t", "c", "a", amount, currency, False, **told)
    row = row_of(at, paid, profile or Profile(), history, card_fraud_at)
    return dict(zip(FEATURES, row, strict=True))


def profile_of(*seen: tuple[int, int], marks: Marks = NO_MARKS) -> Profile:
    profile = Profile()
    for number, (at, amount) in enumerate(seen):
        profile.observe(at, amount, number, number, marks)
    return profile


def customer_of(*visits: tuple[int, str]) -> Profile:
    profile = Profile()
    for number, (at, merchant) in enumerate(visits):
        profile.observe(at, 1_000, number, number, Marks(merchant=mark(merchant)))
    return profile


def history_of(*labels: tuple[float, bool]) -> MerchantHistory:
    history = MerchantHistory()
    for at, is_fraud in labels:
        history = learn(history, at, is_fraud=is_fraud)
    return history


def test_no_feature_is_there_twice():
    assert len(FEATURES) == len(set(FEATURES)) == 59


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
    told = named(history=None)
    assert told["merchant_risk_30d"] == told["merchant_fraud_run"] == told["merchant_count_30d"] == 0.0
    assert told["merchant_fraud_age"] == told["merchant_legit_age"] == OLDEST_DAYS


def test_merchant_risk_is_the_share_of_fraud_among_labels_that_had_time_to_mature():
    history = history_of((NOON - 12 * DAY, False), (NOON - 10 * DAY, True), (NOON - 9 * DAY, True))
    told = named(history=history)
    assert (told["merchant_count_7d"], told["merchant_risk_7d"]) == (3.0, pytest.approx(2 / 3))
    assert (told["merchant_count_1d"], told["merchant_risk_1d"]) == (0.0, 0.0)


def test_fraud_reported_early_counts_at_once():
    told = named(history=history_of((NOON - DAY, True)))
    assert (told["merchant_count_1d"], told["merchant_risk_1d"]) == (1.0, 1.0)


def test_merchant_labels_tell_the_run_and_the_ages():
    history = history_of((NOON - 12 * DAY, False), (NOON - 10 * DAY, True), (NOON - 9 * DAY, True))
    told = named(history=history)
    assert (told["merchant_fraud_run"], told["merchant_fraud_run_age"]) == (2.0, 10.0)
    assert (told["merchant_legit_age"], told["merchant_fraud_age"]) == (12.0, 9.0)
    assert (told["merchant_last_was_fraud"], told["merchant_risk_last3"]) == (1.0, pytest.approx(2 / 3))


def test_the_last_minutes_and_the_last_hour_are_without_the_present_transaction():
    told = named(profile=profile_of((NOON - 3_599, 500), (NOON - 599, 700)))
    assert (told["card_count_10m"], told["card_sum_10m"]) == (1.0, 7.0)
    assert (told["card_count_1h"], told["card_sum_1h"]) == (2.0, 12.0)


def test_distinct_merchants_are_counted_with_the_present_one():
    profile = customer_of((NOON - 9 * DAY, "d"), (NOON - DAY // 2, "c"), (NOON - 1_800, "b"), (NOON - 60, "b"))
    new, known = named(profile=profile), named(profile=profile, merchant_id="b")
    windows = ("1h", "1d", "7d", "30d")
    assert [new[f"card_merchants_{each}"] for each in windows] == [2.0, 3.0, 3.0, 4.0]
    assert [known[f"card_merchants_{each}"] for each in windows] == [1.0, 2.0, 2.0, 3.0]


def test_the_card_was_idle_since_its_last_transaction():
    assert named(profile=profile_of((NOON - 90, 100)))["card_idle_minutes"] == 1.5
    assert named(profile=profile_of((NOON + 90, 100)))["card_idle_minutes"] == 0.0
    assert named()["card_idle_minutes"] == 60 * 1_440


def test_an_hour_that_the_card_never_pays_at_is_below_one():
    noons = profile_of(*((NOON + k * DAY, 1_000) for k in range(-30, 0)))
    assert named(profile=noons)["hour_habit"] > 3
    assert named(at=NOON + DAY // 2, profile=noons)["hour_habit"] < 0.2
    assert named()["hour_habit"] == named()["weekday_habit"] == 1.0


def test_a_weekday_that_the_card_never_pays_on_is_below_one():
    mondays = profile_of(*((NOON + k * 7 * DAY, 1_000) for k in range(-30, 0)))
    assert named(profile=mondays)["weekday_habit"] > 3
    assert named(at=NOON + DAY, profile=mondays)["weekday_habit"] < 0.3


def test_a_merchant_is_new_to_a_card_that_knows_others():
    profile = customer_of((NOON - 3 * DAY, "b"))
    new, known = named(profile=profile), named(profile=profile, merchant_id="b")
    assert (new["merchant_is_new"], new["merchant_visit_age"]) == (1.0, OLDEST_DAYS)
    assert (known["merchant_is_new"], known["merchant_visit_age"]) == (0.0, 3.0)
    assert named()["merchant_is_new"] == 0.0


@pytest.mark.parametrize(
    ("feature", "field"),
    [("country_is_new", "merchant_country"), ("device_is_new", "device_id"), ("category_is_new", "mcc")],
)
def test_country_device_and_category_are_new_where_the_card_had_others(feature, field):
    known = profile_of((NOON - DAY, 1_000), marks=Marks(country=mark("A"), device=mark("A"), category=mark("A")))
    assert named(profile=known, **{field: "B"})[feature] == 1.0
    assert named(profile=known, **{field: "A"})[feature] == 0.0
    assert named(profile=known)[feature] == 0.0
    assert named(**{field: "B"})[feature] == 0.0


def test_what_was_not_told_of_a_payment_leaves_its_features_at_rest():
    told = named()
    assert {told[name] for name in (*CIRCUMSTANCES, "country_is_new", "device_is_new", "category_is_new")} == {0.0}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"channel": "moto"}, {"is_moto": 1.0}),
        ({"pan_entry_mode": "071"}, {"read_by_chip": 1.0}),
        ({"pan_entry_mode": "801"}, {"read_by_stripe": 1.0}),
        ({"pan_entry_mode": "01"}, {"keyed_in": 1.0}),
        ({"pan_entry_mode": "102"}, {"on_file": 1.0}),
        ({"avs_result": "Y"}, {"avs_match": 1.0}),
        ({"avs_result": "Z"}, {"avs_match": 0.5, "avs_mismatch": 0.5}),
        ({"avs_result": "N"}, {"avs_mismatch": 1.0}),
        ({"avs_result": "U"}, {}),
        ({"cvv_result": "M"}, {"cvv_match": 1.0}),
        ({"cvv_result": "N"}, {"cvv_mismatch": 1.0}),
        ({"cvv_result": "P"}, {}),
        ({"three_ds_status": "Y"}, {"payer_authenticated": 1.0}),
        ({"three_ds_status": "N", "eci": "05"}, {"payer_not_authenticated": 1.0}),
        ({"eci": "06"}, {"payer_authenticated": 0.5}),
        ({"eci": "02"}, {}),
        ({"card_country": "DE", "merchant_country": "FR"}, {"is_cross_border": 1.0}),
        ({"card_country": "DE", "merchant_country": "DE"}, {}),
        ({"card_country": "DE"}, {}),
    ],
)
def test_how_it_was_paid_is_told_by_the_standards(told, expected):
    row = named(**told)
    assert {name: row[name] for name in CIRCUMSTANCES if row[name]} == expected


moments = st.floats(0, 4_102_444_800)
near = st.floats(NOON - 40 * DAY, NOON + 40 * DAY)
amounts = st.integers(1, 10**12)
marked = st.builds(Marks, *(st.integers(0, 9),) * 4)
payments = st.builds(
    Payment,
    at=st.just(0.0),
    transaction_id=st.just("t"),
    card=st.just("c"),
    acceptor=st.sampled_from("ab"),
    amount_minor=amounts,
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    is_fraud=st.just(False),
    merchant_id=st.none() | st.sampled_from("ab"),
    mcc=st.none() | st.sampled_from(["5411", "7995"]),
    merchant_country=st.none() | st.sampled_from(["DE", "FR"]),
    card_country=st.none() | st.sampled_from(["DE", "FR"]),
    channel=st.none() | st.sampled_from(["card_present", "ecommerce", "moto", "recurring"]),
    pan_entry_mode=st.none() | st.from_regex(r"\A[0-9]{2,3}\Z"),
    device_id=st.none() | st.sampled_from(["d", "e"]),
    avs_result=st.none() | st.from_regex(r"\A[A-Z0-9]\Z"),
    cvv_result=st.none() | st.from_regex(r"\A[A-Z]\Z"),
    eci=st.none() | st.sampled_from(["01", "02", "05", "06", "07"]),
    three_ds_status=st.none() | st.from_regex(r"\A[A-Z]\Z"),
)


def lived(seen) -> Profile:
    profile = Profile()
    for number, (at, amount, marks) in enumerate(seen):
        profile.observe(at, amount, number, number, marks)
    return profile


@settings(deadline=None)
@given(
    st.lists(st.tuples(near | moments, amounts, marked | payments.map(marks_of)), max_size=60),
    st.none() | st.lists(st.tuples(near | moments, st.booleans()), max_size=20),
    near | moments,
    payments,
    st.none() | near,
)
def test_the_fast_form_equals_the_plain_one_and_stays_finite_and_bounded(seen, labels, at, paid, card_fraud_at):
    profile, history = lived(seen), None if labels is None else history_of(*labels)
    row = row_of(at, paid, profile, history, card_fraud_at)
    assert all(isinstance(value, float) and math.isfinite(value) and abs(value) <= 1e14 for value in row)
    plain = plain_features(at, paid, profile, history, card_fraud_at)
    assert dict(zip(FEATURES, row, strict=True)) == pytest.approx(plain, rel=1e-9, abs=1e-9)
