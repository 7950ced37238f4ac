"""The canary: a payment that nobody makes, sent to each partition to see whether somebody decides there.

It takes the way of every payment, but for what would be left of it: its card has no profile, its decision lies on a
topic of its own, and no metric, label or revision knows it.
"""

from datetime import datetime

from models.transaction import Transaction

CANARY_TOKEN = "holdfast:canary"  # noqa: S105 - a name that everybody may know
CANARY_KEY = CANARY_TOKEN.encode()


def canary(transaction_id: str, at: datetime) -> Transaction:
    """The smallest payment there is, made now."""
    return Transaction(
        transaction_id=transaction_id,
        event_time=at,
        pan_token=CANARY_TOKEN,
        amount_minor=1,
        currency="EUR",
        merchant_id=CANARY_TOKEN,
    )
