"""What rules judge: an ordinary payment of a known card, changed where a test says so."""

from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from models.activity import Activity
from models.features import FEATURES
from models.transaction import Channel, Transaction
from rules.vocabulary import VOCABULARY, Origin

ORDINARY_TRANSACTION = Transaction(
    transaction_id="tx-1",
    event_time=datetime(2026, 3, 4, 12, 30, tzinfo=UTC),
    pan_token="tok_1",
    amount_minor=4_210,
    currency="EUR",
    merchant_id="m-1",
    terminal_id="t-1",
    mcc="5411",
    merchant_country="DE",
    card_country="DE",
    channel=Channel.ECOMMERCE,
    pan_entry_mode="812",
    device_id="d-1",
    ip="192.0.2.1",
    avs_result="Y",
    cvv_result="M",
    eci="07",
    three_ds_status="U",
    acquirer_id="1",
)
ORDINARY_FEATURES = {
    "amount": 42.1,
    "card_count_1d": 1.0,
    "card_mean_1d": 42.1,
    "card_count_7d": 5.0,
    "card_mean_7d": 40.0,
    "card_count_30d": 20.0,
    "card_mean_30d": 41.0,
    "amount_ratio": 1.02,
    "amount_z": 0.1,
    "card_history": 60.0,
    "card_max_ratio_7d": 1.6,
    "merchant_fraud_run_age": 60.0,
    "merchant_legit_age": 60.0,
    "merchant_fraud_age": 60.0,
    "card_merchants_1h": 1.0,
    "card_merchants_1d": 1.0,
    "card_merchants_7d": 4.0,
    "card_merchants_30d": 9.0,
    "card_idle_minutes": 1_500.0,
    "hour_habit": 1.4,
    "weekday_habit": 1.1,
    "merchant_visit_age": 3.0,
    "is_ecommerce": 1.0,
    "avs_match": 1.0,
    "cvv_match": 1.0,
}
ORDINARY_ACTIVITY = Activity(
    card_count_10m=0,
    card_count_1h=0,
    card_count_1d=0,
    card_sum_10m_minor=0,
    card_sum_1h_minor=0,
    card_sum_1d_minor=0,
    card_merchants_1h=1,
    card_merchants_1d=1,
    seconds_since_last=90_000,
    hour_utc=12,
)


def judged(**changes: Any) -> tuple[Transaction, tuple[float, ...], Activity]:
    """The arguments of `judge` for an ordinary payment with some words of the vocabulary changed."""
    by_origin: dict[Origin, dict[str, Any]] = {origin: {} for origin in Origin}
    for name, value in changes.items():
        by_origin[VOCABULARY[name].origin][name] = value
    numbers = ORDINARY_FEATURES | by_origin[Origin.FEATURES]
    return (
        structs.replace(ORDINARY_TRANSACTION, **by_origin[Origin.TRANSACTION]),
        tuple(numbers.get(name, 0.0) for name in FEATURES),
        ORDINARY_ACTIVITY._replace(**by_origin[Origin.ACTIVITY]),
    )
