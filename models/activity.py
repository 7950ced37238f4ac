"""What a card did just before a transaction: the velocities, counted once for rules and features."""

from typing import NamedTuple

from models.daily import SECONDS_PER_DAY
from models.profile import Profile


class Activity(NamedTuple):
    """Recent use of a card by the ring of its profile, the present transaction not included. Sums in minor units.

    The merchants are counted with the present one: distinct ones, at least 1.
    """

    card_count_10m: int
    card_count_1h: int
    card_count_1d: int
    card_sum_10m_minor: int
    card_sum_1h_minor: int
    card_sum_1d_minor: int
    card_merchants_1h: int
    card_merchants_1d: int
    seconds_since_last: int | None  # None for a new card
    hour_utc: int


def activity(at: float, profile: Profile, merchant: int = 0) -> Activity:
    """What the card did before now; `merchant` is the mark of the present one. 3 us for a ring of five."""
    moment = int(at)
    idle = moment - profile.newest
    count_10m = count_1h = count_1d = sum_10m = sum_1h = sum_1d = 0
    merchants_1h = merchants_1d = 1
    if idle < SECONDS_PER_DAY:
        within_1h, within_1d = {merchant}, {merchant}
        for time, amount, _, _, where in profile.ring:
            if 0 <= (age := moment - time) < SECONDS_PER_DAY:
                count_1d += 1
                sum_1d += amount
                within_1d.add(where)
                if age < 3_600:
                    count_1h += 1
                    sum_1h += amount
                    within_1h.add(where)
                    if age < 600:
                        count_10m += 1
                        sum_10m += amount
        # Without a mark, of a profile from before there were any, is no merchant of its own.
        merchants_1h = len(within_1h) - (0 in within_1h) or 1
        merchants_1d = len(within_1d) - (0 in within_1d) or 1
    values = (
        count_10m,
        count_1h,
        count_1d,
        sum_10m,
        sum_1h,
        sum_1d,
        merchants_1h,
        merchants_1d,
        (idle if idle > 0 else 0) if profile.n else None,
        moment % SECONDS_PER_DAY // 3_600,
    )
    return tuple.__new__(Activity, values)  # the class's own takes twice the time
