"""The vocabulary: every name that a rule may use, what kind of value it is, and whether it may be missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from models.features import FEATURES


class Kind(StrEnum):
    """What sort of value an expression has. A flag is true or false; only comparisons and literals give one."""

    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"


class Origin(StrEnum):
    """Which argument of `judge` carries the value."""

    TRANSACTION = "transaction"
    FEATURES = "features"
    ACTIVITY = "activity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One name of the vocabulary."""

    name: str
    kind: Kind
    origin: Origin
    may_be_missing: bool
    meaning: str


def _field(name: str, meaning: str, *, kind: Kind = Kind.TEXT, optional: bool = True) -> Term:
    return Term(name=name, kind=kind, origin=Origin.TRANSACTION, may_be_missing=optional, meaning=meaning)


def _feature(name: str, meaning: str) -> Term:
    return Term(name=name, kind=Kind.NUMBER, origin=Origin.FEATURES, may_be_missing=False, meaning=meaning)


def _activity(name: str, meaning: str, *, optional: bool = False) -> Term:
    return Term(name=name, kind=Kind.NUMBER, origin=Origin.ACTIVITY, may_be_missing=optional, meaning=meaning)


_FIELDS = (
    _field("amount_minor", "amount in minor units of the currency", kind=Kind.NUMBER, optional=False),
    _field("currency", "ISO 4217 code", optional=False),
    _field("merchant_id", "merchant", optional=False),
    _field("pan_token", "stands for the card", optional=False),
    _field("terminal_id", "terminal"),
    _field("mcc", "merchant category, four digits (ISO 18245)"),
    _field("merchant_country", "ISO 3166-1 alpha-2"),
    _field("card_country", "issuer's country, ISO 3166-1 alpha-2"),
    _field("channel", "card_present, ecommerce, moto or recurring"),
    _field("pan_entry_mode", "how the number was read (ISO 8583 DE 22, first part)"),
    _field("device_id", "the payer's device"),
    _field("ip", "the payer's address"),
    _field("avs_result", "address check: Y match, N no match"),
    _field("cvv_result", "card code check: M match, N no match, P not processed"),
    _field("eci", "electronic commerce indicator"),
    _field("three_ds_status", "EMV 3-D Secure: Y authenticated, A attempted, N failed, R rejected, U unavailable"),
    _field("acquirer_id", "acquirer (ISO 8583 DE 32)"),
)

_FEATURES = (
    _feature("amount", "amount in major units of the currency"),
    _feature("is_weekend", "1 on Saturday and Sunday, else 0"),
    _feature("is_night", "1 before 07:00 UTC, else 0"),
    _feature("card_count_1d", "the card's transactions in 1 day, this one included"),
    _feature("card_mean_1d", "their mean amount, major units"),
    _feature("card_count_7d", "the card's transactions in 7 days, this one included"),
    _feature("card_mean_7d", "their mean amount, major units"),
    _feature("card_count_30d", "the card's transactions in 30 days, this one included"),
    _feature("card_mean_30d", "their mean amount, major units"),
    _feature("merchant_count_1d", "labels of the terminal (or merchant) for 8 days: 1, and 7 for labels to come"),
    _feature("merchant_risk_1d", "share of fraud among them, 0 to 1"),
    _feature("merchant_count_7d", "labels of the terminal (or merchant) for 14 days: 7, and 7 for labels to come"),
    _feature("merchant_risk_7d", "share of fraud among them, 0 to 1"),
    _feature("merchant_count_30d", "labels of the terminal (or merchant) for 37 days: 30, and 7 for labels to come"),
    _feature("merchant_risk_30d", "share of fraud among them, 0 to 1"),
    _feature(
        "amount_ratio", "amount as a multiple of the card's usual one; 1 for a new card, never above card_history + 1"
    ),
    _feature("amount_z", "deviations of the card above its usual amount; 0 for a new card"),
    _feature("card_history", "earlier transactions of the card"),
    _feature("card_max_ratio_7d", "largest amount_ratio of the card in the last 7 days"),
    _feature("card_big_14d", "transactions above 2.5 times the card's usual amount in the last 14 days"),
    _feature("card_fraud_known", "1 if fraud on the card became known in the last 30 days, else 0"),
    _feature("merchant_fraud_run", "how many of the terminal's newest labels are fraud without a break"),
    _feature("merchant_fraud_run_age", "days since that run began, 60 if there is none"),
    _feature("merchant_legit_age", "days since the terminal's newest legitimate label, at most 60"),
    _feature("merchant_last_was_fraud", "1 if the terminal's newest label is fraud, else 0"),
    _feature("merchant_risk_last3", "share of fraud among the terminal's last 3 labels"),
    _feature("merchant_risk_last8", "share of fraud among the terminal's last 8 labels"),
    _feature("merchant_fraud_age", "days since the terminal's newest fraud, at most 60"),
    _feature("card_count_10m", "the card's transactions in the 10 minutes before, this one not included"),
    _feature("card_sum_10m", "their sum, major units"),
    _feature("card_count_1h", "the card's transactions in the hour before, this one not included"),
    _feature("card_sum_1h", "their sum, major units"),
    _feature("card_merchants_1h", "distinct merchants of the card in 1 hour, this one included"),
    _feature("card_merchants_1d", "distinct merchants of the card in 1 day, this one included"),
    _feature("card_idle_minutes", "minutes since the card's last transaction, at most 86400, also for a new card"),
    _feature(
        "hour_habit", "how usual the time of day is for the card: 1 as if it had no habit, below 1 rarer, at most 6"
    ),
    _feature("weekday_habit", "the same for the day of the week, at most 7"),
    _feature("card_merchants_7d", "distinct merchants of the card in 7 UTC days, this one included, at most 13"),
    _feature("card_merchants_30d", "distinct merchants of the card in 30 UTC days, this one included, at most 13"),
    _feature("merchant_is_new", "1 if the merchant is none of the card's latest 12; 0 for a new card"),
    _feature("merchant_visit_age", "days since the card was last at the merchant, 60 if it is none of the latest 12"),
    _feature("country_is_new", "1 if the merchant's country is none of the card's latest 3; 0 if unknown"),
    _feature("device_is_new", "1 if the device is none of the card's latest 3; 0 if unknown"),
    _feature("category_is_new", "1 if the merchant category is none of the card's latest 6; 0 if unknown"),
    _feature("is_card_present", "1 if channel is card_present, else 0"),
    _feature("is_ecommerce", "1 if channel is ecommerce, else 0"),
    _feature("is_moto", "1 if channel is moto, else 0"),
    _feature("is_recurring", "1 if channel is recurring, else 0"),
    _feature(
        "read_by_chip", "1 if the card was read by chip, contactless included (pan_entry_mode 05, 07, 95), else 0"
    ),
    _feature("read_by_stripe", "1 if by magnetic stripe, fallback included (pan_entry_mode 02, 80, 90, 91), else 0"),
    _feature("keyed_in", "1 if its number was keyed in (pan_entry_mode 01), else 0"),
    _feature("on_file", "1 if its number was on file (pan_entry_mode 10), else 0"),
    _feature("avs_match", "1 if the whole address matches, 0.5 if a part does, else 0"),
    _feature("avs_mismatch", "1 if no part of the address matches, 0.5 if a part does, 0 if it was not checked"),
    _feature("cvv_match", "1 if the card code matches, else 0"),
    _feature("cvv_mismatch", "1 if the card code does not match, else 0"),
    _feature("payer_authenticated", "1 if 3-D Secure authenticated the payer, 0.5 if it was attempted, else 0"),
    _feature("payer_not_authenticated", "1 if 3-D Secure failed or refused, 0.5 if it could not, else 0"),
    _feature("is_cross_border", "1 if merchant and card are known to be of different countries, else 0"),
)

_ACTIVITY = (
    _activity(
        "card_sum_1h_minor", "sum of the card's transactions in the hour before, minor units, this one not included"
    ),
    _activity(
        "card_sum_1d_minor", "sum of the card's transactions in the day before, minor units, this one not included"
    ),
    _activity("seconds_since_last", "seconds since the card's last transaction; missing for a new card", optional=True),
    _activity("hour_utc", "hour of the event time in UTC, 0 to 23"),
)

VOCABULARY: Mapping[str, Term] = MappingProxyType({term.name: term for term in (*_FIELDS, *_FEATURES, *_ACTIVITY)})


def origin_expression(term: Term) -> str:
    """The Python that reads the term from the arguments of `judge`."""
    if term.origin is Origin.FEATURES:
        return f"features[{FEATURES.index(term.name)}]"
    return f"{term.origin}.{term.name}"
