"""What a card did over days and weeks, as features: how often, how much, at which merchants."""

from bisect import bisect_left

from models.daily import window_sum
from models.profile import Profile

OLDEST_VISIT = 60.0  # days, or never
WEEK, FORTNIGHT, MONTH = 7, 14, 30


def card_days(first: int, left: float, profile: Profile) -> tuple[float, float, float, float, float, int]:
    """Counts over 7 and 30 days, sums over 7 and 30, big amounts over 14, the largest ratio of 7.

    `first` and `left` as of `window_sum`. In one walk where the windows lie within the buckets, as they do unless a
    payment is late or the card was idle. Of the ratios' oldest day, partly outside, only while most of it is inside.
    """
    counts, sums, bigs, peaks = profile.counts, profile.sums, profile.big_counts, profile.peak_ratios
    if not -WEEK < first <= 0:
        return (
            window_sum(counts, first, left, WEEK),
            window_sum(counts, first, left, MONTH),
            window_sum(sums, first, left, WEEK),
            window_sum(sums, first, left, MONTH),
            window_sum(bigs, first, left, FORTNIGHT),
            max(peaks[max(first, 0) : max(first + WEEK + (left > 0.5), 0)], default=0),
        )
    week, fortnight, month = first + WEEK, first + FORTNIGHT, first + MONTH
    count, total = sum(counts[:week]), sum(sums[:week])
    month_count, month_total = sum(counts[week:month], count), sum(sums[week:month], total)
    return (
        count + left * counts[week],
        month_count + left * counts[month],
        total + left * sums[week],
        month_total + left * sums[month],
        sum(bigs[:fortnight]) + left * bigs[fortnight],
        max(peaks[: week + 1 if left > 0.5 else week]),
    )


def merchants_met(first: int, merchant: int, profile: Profile) -> tuple[float, float, float, float]:
    """Distinct merchants over 7 and 30 UTC days with this one, 1 if it is new, days since the card was last there.

    As far as the profile knows merchants. Only a card that has a habit meets what is new.
    """
    known, ages = profile.merchants, profile.merchant_ages
    if not known:
        return 1.0, 1.0, 0.0, OLDEST_VISIT
    later = bisect_left(ages, first) if first > 0 else 0
    week, month = bisect_left(ages, first + WEEK) - later, bisect_left(ages, first + MONTH) - later
    if merchant not in known:
        return week + 1.0, month + 1.0, 1.0, OLDEST_VISIT
    age = ages[known.index(merchant)] - first
    return (
        week + (0.0 if 0 <= age < WEEK else 1.0),
        month + (0.0 if 0 <= age < MONTH else 1.0),
        0.0,
        0.0 if age < 0 else age + 0.0 if age < OLDEST_VISIT else OLDEST_VISIT,
    )
