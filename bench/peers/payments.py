"""Payments for the common work: a kilobyte of JSON each, of 20,000 accounts over two weeks, the same in every run."""

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson

ACCOUNTS = 20_000
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
STEP_SECONDS = 3.024
SEED = 7


class Payment(NamedTuple):
    """A record to be decided."""

    key: bytes  # the account
    transaction_id: str
    value: bytes


def payments(count: int) -> Iterator[Payment]:
    """So many, in order of time."""
    chance = random.Random(SEED)  # noqa: S311 - a simulation
    for number in range(count):
        document = _document(chance)
        at = BEGIN + timedelta(seconds=number * STEP_SECONDS + chance.random())
        document["event_time"] = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        yield Payment(document["account_id"].encode(), document["transaction_id"], orjson.dumps(document))


def _document(chance: random.Random) -> dict[str, Any]:
    return {
        "schema_version": 3,
        "transaction_id": str(uuid.UUID(int=chance.getrandbits(128))),
        "account_id": f"acc-{chance.randrange(ACCOUNTS):08}",
        "customer_id": f"cus-{chance.randrange(150_000):08}",
        "card_hash": f"{chance.getrandbits(256):064x}",
        "amount": round(chance.lognormvariate(3.5, 1.2), 2),
        "currency": chance.choice(["EUR", "USD", "GBP", "PLN"]),
        "merchant": {
            "id": f"mer-{chance.randrange(30_000):06}",
            "mcc": chance.choice(["5411", "5812", "4829", "7995", "5732"]),
            "name": f"Merchant Example {chance.randrange(30_000):05}",
            "country": chance.choice(["DE", "FR", "US", "GB", "NG", "CN"]),
        },
        "device": {
            "id": f"dev-{chance.getrandbits(64):016x}",
            "os": chance.choice(["ios", "android", "web"]),
            "ip": ".".join(str(chance.randrange(256)) for _ in range(4)),
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
        },
        "geo": {
            "lat": round(chance.uniform(-90, 90), 5),
            "lon": round(chance.uniform(-180, 180), 5),
            "country": chance.choice(["DE", "FR", "US", "GB"]),
        },
        "channel": chance.choice(["pos", "ecom", "moto"]),
        "entry_mode": chance.choice(["chip", "swipe", "contactless", "manual"]),
        "auth": {
            "cvv_ok": chance.random() < 0.97,
            "avs": chance.choice(["Y", "N", "U"]),
            "three_ds": chance.choice(["full", "attempt", "none"]),
        },
        "history": {
            "txn_count_1h": chance.randrange(20),
            "txn_count_24h": chance.randrange(60),
            "amount_sum_24h": round(chance.uniform(0, 5_000), 2),
            "declines_24h": chance.randrange(5),
            "account_age_days": chance.randrange(4_000),
        },
        "is_recurring": chance.random() < 0.1,
        "installments": chance.randrange(1, 12),
        "trace": f"{chance.getrandbits(128):032x}",
        "descriptor": f"PAYMENT {chance.getrandbits(384):096x}",
    }
