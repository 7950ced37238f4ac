"""What a card did up to a payment, as people look at it: a month of days, and the latest payments."""

from datetime import date

from msgspec import Struct

from models.profile import Profile

_EPOCH = date(1970, 1, 1).toordinal()


class RecentPayment(Struct, frozen=True, array_like=True, gc=False):
    """One of the latest: how long before the payment in question it was made, negative if after, and its amount."""

    seconds_before: int
    amount_minor: int


class CardHistory(Struct, frozen=True, kw_only=True, gc=False):
    """As far as the card's profile knows, the payment in question included. Money in minor units."""

    payments: int  # ever seen
    usual_minor: int  # what the card usually pays
    newest_day: date  # UTC, of the latest payment
    spent_minor: tuple[int, ...]  # of each day, the newest first; days before are nothing, or forgotten
    recent: tuple[RecentPayment, ...]  # in the order of arrival; of a day, and the latest few


def card_history(at: float, profile: Profile) -> CardHistory:
    """Of a card, when a payment made at `at` (seconds since 1970) was observed."""
    moment, spent = int(at), profile.sums
    days = len(spent)
    while days and not spent[days - 1]:
        days -= 1
    return CardHistory(
        payments=profile.n,
        usual_minor=round(profile.mean),
        newest_day=date.fromordinal(_EPOCH + profile.day),
        spent_minor=tuple(spent[:days]),
        recent=tuple(RecentPayment(moment - made, amount) for made, amount, *_ in profile.ring),
    )
