"""The features of a transaction: what the model sees, and what is published with the decision.

The first 15 are those of the Fraud Detection Handbook (Le Borgne et al., chapter 3); the others set the payment against
the card's own habits, read the acceptor's labels, and say how it was made. No feature knows anything of a population.
Over a day and more the sum is not there beside count and mean, whose product it is: to a linear model of logarithms it
says nothing new.

The hot path: `python -m bench.model` has the time, and `tests/unit/test_features.py` the plain form that it equals.
"""

from array import array
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.acceptor_labels import (
    LABEL_DELAY,
    LABELS_UNKNOWN,
    LONGEST_HISTORY,
    OLDEST_DAYS,
    WINDOWS_UNKNOWN,
    acceptor_latest,
    acceptor_windows,
)
from models.activity import Activity
from models.card_habits import card_days, merchants_met
from models.circumstances import CIRCUMSTANCES, circumstances
from models.currency import minor_per_major
from models.daily import SECONDS_PER_DAY, window_sum
from models.marks import Marks
from models.merchant_history import MerchantHistory
from models.paid import Paid
from models.profile import HOURS_PER_SPAN, ONCE, RATIO_STEPS, RING_SIZE, SPANS, WEEKDAYS, Profile

__all__ = ["CARD_FRAUD_DAYS", "FEATURES", "LABEL_DELAY", "OLDEST_DAYS", "Row", "features", "matrix_of"]

FEATURES: tuple[str, ...] = (
    "amount",
    "is_weekend",
    "is_night",
    "card_count_1d",
    "card_mean_1d",
    "card_count_7d",
    "card_mean_7d",
    "card_count_30d",
    "card_mean_30d",
    "merchant_count_1d",
    "merchant_risk_1d",
    "merchant_count_7d",
    "merchant_risk_7d",
    "merchant_count_30d",
    "merchant_risk_30d",
    "amount_ratio",
    "amount_z",
    "card_history",
    "card_max_ratio_7d",
    "card_big_14d",
    "card_fraud_known",
    "merchant_fraud_run",
    "merchant_fraud_run_age",
    "merchant_legit_age",
    "merchant_last_was_fraud",
    "merchant_risk_last3",
    "merchant_risk_last8",
    "merchant_fraud_age",
    "card_count_10m",
    "card_sum_10m",
    "card_count_1h",
    "card_sum_1h",
    "card_merchants_1h",
    "card_merchants_1d",
    "card_idle_minutes",
    "hour_habit",
    "weekday_habit",
    "card_merchants_7d",
    "card_merchants_30d",
    "merchant_is_new",
    "merchant_visit_age",
    "country_is_new",
    "device_is_new",
    "category_is_new",
    *CIRCUMSTANCES,
)

Row: TypeAlias = "array[float]"  # of type "d": a list would hold an object for each number

CARD_FRAUD_DAYS = 30
_CARD_FRAUD_SECONDS = CARD_FRAUD_DAYS * SECONDS_PER_DAY
_LONGEST_IDLE = OLDEST_DAYS * SECONDS_PER_DAY
_SATURDAY = 5
_PRIOR = 4.0 * ONCE  # as if four payments had been spread evenly: a new card has no habit to break
_NEARBY = SPANS / 4  # the span itself counts half, its neighbours a quarter each
_NIGHT_UNTIL = 7  # o'clock


def features(
    at: float,
    paid: Paid,
    marks: Marks,
    profile: Profile,
    recent: Activity,
    merchant: MerchantHistory | None,
    card_fraud_at: float | None,
) -> Row:
    """The numbers of FEATURES for a payment at `at`, all finite, amounts in major units, ages in days.

    Call before `profile.observe`: counts and means include the present transaction by themselves. `marks` are the
    payment's, `recent` is the card's activity before it; `merchant` is None where no fraud is known of the acceptor;
    `card_fraud_at` is the time of the card's latest known fraud.
    """
    amount, unit = paid.amount_minor + 0.0, minor_per_major(paid.currency) + 0.0  # two floats divide at once
    day = int(at) // SECONDS_PER_DAY
    left = 1.0 - (at - day * SECONDS_PER_DAY) / SECONDS_PER_DAY
    first = profile.day - day
    store, country, device, category = marks
    countries, devices, categories = profile.countries, profile.devices, profile.categories
    count_10m, count_1h, count_1d, sum_10m, sum_1h, sum_1d, stores_1h, stores_1d, idle, hour = recent
    weekday, span = (day + 3) % WEEKDAYS, hour // HOURS_PER_SPAN  # 1970-01-01 was a Thursday
    hours, weekdays = profile.hours, profile.weekdays
    used = sum(weekdays) + _PRIOR  # and that of hours, but for the rounding of what faded
    earlier: float = count_1d
    spent: float = sum_1d
    if len(profile.ring) == RING_SIZE:  # it may have lost some of the day
        earlier, spent = window_sum(profile.counts, first, left, 1), window_sum(profile.sums, first, left, 1)
    count_7d, count_30d, sum_7d, sum_30d, big_14d, peak_7d = card_days(first, left, profile)
    by_day, by_week, by_month = earlier + 1.0, count_7d + 1.0, count_30d + 1.0
    stores_7d, stores_30d, is_new, visit_age = merchants_met(first, store, profile)
    ratio, deviations = profile.against_habit(amount)
    history = profile.n
    if merchant is None:
        label_1d, risk_1d, label_7d, risk_7d, label_30d, risk_30d = WINDOWS_UNKNOWN
        run, run_age, legit_age, last, last3, last8, fraud_age = LABELS_UNKNOWN
    else:
        windows = acceptor_windows(merchant.newest_day - day, left, merchant)
        label_1d, risk_1d, label_7d, risk_7d, label_30d, risk_30d = windows
        run, run_age, legit_age, last, last3, last8, fraud_age = acceptor_latest(at, merchant)
    row = [  # without a star until its end: the list is made at once
        amount / unit,
        1.0 if weekday >= _SATURDAY else 0.0,
        1.0 if hour < _NIGHT_UNTIL else 0.0,
        by_day,
        (spent + amount) / by_day / unit,
        by_week,
        (sum_7d + amount) / by_week / unit,
        by_month,
        (sum_30d + amount) / by_month / unit,
        label_1d,
        risk_1d,
        label_7d,
        risk_7d,
        label_30d,
        risk_30d,
        ratio,
        deviations,
        history + 0.0 if history < LONGEST_HISTORY else LONGEST_HISTORY,
        peak_7d / RATIO_STEPS,
        big_14d,
        1.0 if card_fraud_at is not None and at - card_fraud_at < _CARD_FRAUD_SECONDS else 0.0,
        run,
        run_age,
        legit_age,
        last,
        last3,
        last8,
        fraud_age,
        count_10m + 0.0 if count_10m else 0.0,
        sum_10m / unit if sum_10m else 0.0,
        count_1h + 0.0 if count_1h else 0.0,
        sum_1h / unit if sum_1h else 0.0,
        stores_1h + 0.0,
        stores_1d + 0.0,
        idle / 60.0 if idle is not None and idle < _LONGEST_IDLE else _LONGEST_IDLE / 60.0,
        (_NEARBY * (2 * hours[span] + hours[span - 1] + hours[span - SPANS + 1]) + _PRIOR) / used,
        (WEEKDAYS * weekdays[weekday] + _PRIOR) / used,
        stores_7d,
        stores_30d,
        is_new,
        visit_age,
        1.0 if country and countries and country not in countries else 0.0,
        1.0 if device and devices and device not in devices else 0.0,
        1.0 if category and categories and category not in categories else 0.0,
        *circumstances(
            paid.channel,
            paid.pan_entry_mode,
            paid.avs_result,
            paid.cvv_result,
            paid.eci,
            paid.three_ds_status,
            paid.card_country,
            paid.merchant_country,
        ),
    ]
    return array("d", row)


def matrix_of(rows: list[Row]) -> NDArray[np.float64]:
    """Rows of FEATURES as a matrix."""
    return np.array(rows, "<f8").reshape(len(rows), len(FEATURES))
