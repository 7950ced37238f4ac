"""Reason codes from explanations: every feature is about something, and what lowers a score explains nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.features import FEATURES
from models.score import BASE, OTHER, Contribution
from rules.decision import ReasonCode
from rules.explaining import ABOUT, LEAST_LOG_ODDS, reason_of, reasons_of

contributions = st.lists(
    st.builds(Contribution, feature=st.sampled_from([*FEATURES, OTHER, BASE]), log_odds=st.floats(-5, 5))
)


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_is_about_something(feature: str) -> None:
    assert reason_of(feature) in ReasonCode


@pytest.mark.parametrize(
    ("feature", "reason"),
    [
        ("card_count_7d", ReasonCode.HIGH_VELOCITY),
        ("card_mean_1d", ReasonCode.AMOUNT_ABOVE_NORM),
        ("amount_ratio", ReasonCode.AMOUNT_ABOVE_NORM),
        ("merchant_fraud_run", ReasonCode.MERCHANT_RISK),
        ("card_fraud_known", ReasonCode.CARD_FRAUD_KNOWN),
        ("card_history", ReasonCode.NEW_CARD),
        ("is_night", ReasonCode.UNUSUAL_TIME),
        ("hour_habit", ReasonCode.UNUSUAL_TIME),
        ("card_sum_1h", ReasonCode.HIGH_VELOCITY),
        ("merchant_is_new", ReasonCode.UNFAMILIAR),
        ("device_is_new", ReasonCode.UNFAMILIAR),
        ("is_cross_border", ReasonCode.COUNTRY_MISMATCH),
        ("is_ecommerce", ReasonCode.CHANNEL_RISK),
        ("keyed_in", ReasonCode.MANUAL_ENTRY),
        ("cvv_mismatch", ReasonCode.CVV_MISMATCH),
    ],
)
def test_a_feature_is_about_what_its_name_says(feature: str, reason: ReasonCode) -> None:
    assert reason_of(feature) is reason


def test_no_line_of_the_table_is_idle() -> None:
    first = {next(about for about in ABOUT if feature.startswith(about.beginning)) for feature in FEATURES}
    assert first == set(ABOUT)


@given(contributions)
def test_reasons_are_of_what_added_most_first_and_each_comes_once(told: list[Contribution]) -> None:
    reasons = reasons_of(told)
    most = {
        reason: max((each.log_odds for each in told if reason_of(each.feature) is reason), default=-9.0)
        for reason in ReasonCode
    }
    assert set(reasons) == {reason for reason, log_odds in most.items() if log_odds >= LEAST_LOG_ODDS}
    assert [most[reason] for reason in reasons] == sorted((most[reason] for reason in reasons), reverse=True)


def test_the_rest_and_the_base_are_no_reason() -> None:
    assert reasons_of([Contribution(feature=OTHER, log_odds=9.0), Contribution(feature=BASE, log_odds=9.0)]) == ()
