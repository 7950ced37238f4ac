"""Reason codes from explanations: what the features that added most to a score are about."""

from collections.abc import Sequence
from typing import NamedTuple

from models.features import FEATURES
from models.score import Contribution
from rules.decision import ReasonCode

LEAST_LOG_ODDS = 0.25  # what adds less explains nothing


class About(NamedTuple):
    """Features whose names begin like this, and the reason that they give."""

    beginning: str
    reason: ReasonCode


# The first that fits holds. A feature that fits none fails a test: give it a line.
ABOUT = (
    About("card_fraud", ReasonCode.CARD_FRAUD_KNOWN),
    About("card_history", ReasonCode.NEW_CARD),
    About("card_mean", ReasonCode.AMOUNT_ABOVE_NORM),
    About("card_max", ReasonCode.AMOUNT_ABOVE_NORM),
    About("card_big", ReasonCode.AMOUNT_ABOVE_NORM),
    About("card_", ReasonCode.HIGH_VELOCITY),  # counts, sums, merchants, and for how long it was not used
    About("amount", ReasonCode.AMOUNT_ABOVE_NORM),
    About("merchant_is_new", ReasonCode.UNFAMILIAR),
    About("merchant_visit", ReasonCode.UNFAMILIAR),
    About("merchant_", ReasonCode.MERCHANT_RISK),
    About("country_", ReasonCode.UNFAMILIAR),
    About("device_", ReasonCode.UNFAMILIAR),
    About("category_", ReasonCode.UNFAMILIAR),
    About("hour_", ReasonCode.UNUSUAL_TIME),
    About("weekday_", ReasonCode.UNUSUAL_TIME),
    About("is_weekend", ReasonCode.UNUSUAL_TIME),
    About("is_night", ReasonCode.UNUSUAL_TIME),
    About("is_cross_border", ReasonCode.COUNTRY_MISMATCH),
    About("is_", ReasonCode.CHANNEL_RISK),
    About("read_", ReasonCode.CHANNEL_RISK),
    About("on_file", ReasonCode.CHANNEL_RISK),
    About("keyed_in", ReasonCode.MANUAL_ENTRY),
    About("avs_", ReasonCode.AVS_MISMATCH),
    About("cvv_", ReasonCode.CVV_MISMATCH),
    About("payer_", ReasonCode.AUTHENTICATION_FAILED),
)


_REASONS = {
    feature: about.reason for about in reversed(ABOUT) for feature in FEATURES if feature.startswith(about.beginning)
}


def reason_of(feature: str) -> ReasonCode | None:
    """What a feature is about; None for what is no feature, as the rest and the base of an explanation."""
    return _REASONS.get(feature)


def reasons_of(contributions: Sequence[Contribution]) -> tuple[ReasonCode, ...]:
    """Reasons for a score to be high, each once, the one that added most first."""
    adding = sorted(
        (each for each in contributions if each.log_odds >= LEAST_LOG_ODDS), key=lambda each: -each.log_odds
    )
    reasons = (reason_of(each.feature) for each in adding)
    return tuple(dict.fromkeys(reason for reason in reasons if reason is not None))
