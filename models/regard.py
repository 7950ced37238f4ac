"""A payment as rules and the model see it, against what is known of its card and its acceptor."""

from models.activity import Activity, activity
from models.features import Row, features
from models.marks import Marks, marks_of
from models.merchant_history import MerchantHistory
from models.paid import Paid
from models.profile import Profile


def regard(
    at: float, paid: Paid, profile: Profile, merchant: MerchantHistory | None, card_fraud_at: float | None
) -> tuple[Marks, Activity, Row]:
    """Its marks, what the card did before it, and its features. Call before `profile.observe`.

    `at` in seconds since 1970; `merchant` is None where no label is known of the acceptor, `card_fraud_at` is the time
    of the card's latest known fraud.
    """
    marks = marks_of(paid)
    recent = activity(at, profile, marks.merchant)
    return marks, recent, features(at, paid, marks, profile, recent, merchant, card_fraud_at)
