"""The features of a transaction: what the model sees, and what is published with the decision.

The first 15 are those of the Fraud Detection Handbook (Le Borgne et al., chapter 3); the others set the amount against
the card's own habit and read the acceptor's labels. No feature knows anything of a population.
"""

from models.activity import Activity
from models.currency import minor_per_major
from models.daily import SECONDS_PER_DAY, day_of, part_of_day_left, window_sum
from models.merchant_history import MerchantHistory
from models.profile import RATIO_STEPS, RING_SIZE, Profile

FEATURES: tuple[str, ...] = (
    "amount",
    "is_weekend",
    "is_night",
    "card_count_1d",
    "card_mean_1d",
    "card_count_7d",
    "card_mean_7d",
    "card_count_30d",
    "card_mean_30d",
    "merchant_count_1d",
    "merchant_risk_1d",
    "merchant_count_7d",
    "merchant_risk_7d",
    "merchant_count_30d",
    "merchant_risk_30d",
    "amount_ratio",
    "amount_z",
    "card_history",
    "card_max_ratio_7d",
    "card_big_14d",
    "card_fraud_known",
    "merchant_fraud_run",
    "merchant_fraud_run_age",
    "merchant_legit_age",
    "merchant_last_was_fraud",
    "merchant_risk_last3",
    "merchant_risk_last8",
    "merchant_fraud_age",
)

LABEL_DELAY = 7 * SECONDS_PER_DAY  # the Handbook's: risk is counted where labels have had this long to arrive
CARD_FRAUD_DAYS = 30
OLDEST_DAYS = 60.0  # an age beyond this, or of what never was
LONGEST_HISTORY = 1_000
_MATURED_AFTER = LABEL_DELAY // SECONDS_PER_DAY
_Z_BOUND = 100.0
_NIGHT_UNTIL_HOUR = 6
_MERCHANT_UNKNOWN = [0.0] * 6
_LABELS_UNKNOWN = [0.0, OLDEST_DAYS, OLDEST_DAYS, 0.0, 0.0, 0.0, OLDEST_DAYS]


def features(
    at: float,
    amount_minor: int,
    currency: str,
    profile: Profile,
    merchant: MerchantHistory | None,
    card_fraud_at: float | None,
) -> list[float]:
    """The 28 numbers of FEATURES for a transaction at `at`, all finite, amounts in major units, ages in days.

    Call before `profile.observe`: counts and means include the present transaction by themselves. `merchant` is None
    where no fraud is known of the acceptor; `card_fraud_at` is the time of the card's latest known fraud.
    """
    unit = minor_per_major(currency)
    day = day_of(at)
    left = part_of_day_left(at)
    first = profile.day - day
    return [
        amount_minor / unit,
        1.0 if (day + 3) % 7 >= 5 else 0.0,  # 1970-01-01 was a Thursday
        1.0 if at % SECONDS_PER_DAY // 3_600 <= _NIGHT_UNTIL_HOUR else 0.0,
        *_card_day(int(at), first, left, amount_minor, unit, profile),
        *_card_window(first, left, 7, amount_minor, unit, profile),
        *_card_window(first, left, 30, amount_minor, unit, profile),
        *(_MERCHANT_UNKNOWN if merchant is None else _merchant_windows(merchant.newest_day - day, left, merchant)),
        profile.ratio(amount_minor),
        _z(amount_minor, profile),
        float(min(profile.n, LONGEST_HISTORY)),
        _peak_ratio(first, left, profile),
        window_sum(profile.big_counts, first, left, 14),
        1.0 if card_fraud_at is not None and at - card_fraud_at < CARD_FRAUD_DAYS * SECONDS_PER_DAY else 0.0,
        *(_LABELS_UNKNOWN if merchant is None else _merchant_labels(at, merchant)),
    ]


def activity(at: float, profile: Profile) -> Activity:
    """What the card did before now, by the ring of its profile: the present transaction is not in it."""
    moment = int(at)
    count_10m = count_1h = sum_1h = sum_1d = 0
    for time, amount in zip(profile.ring_times, profile.ring_amounts, strict=True):
        age = moment - time
        if not 0 <= age < SECONDS_PER_DAY:
            continue
        sum_1d += amount
        if age < 3_600:
            count_1h += 1
            sum_1h += amount
            count_10m += age < 600
    last_seen = profile.last_seen
    return Activity(
        card_count_10m=count_10m,
        card_count_1h=count_1h,
        card_sum_1h_minor=sum_1h,
        card_sum_1d_minor=sum_1d,
        seconds_since_last=None if last_seen is None else max(moment - last_seen, 0),
        hour_utc=int(at % SECONDS_PER_DAY // 3_600),
    )


def _card_day(
    moment: int, first: int, left: float, amount_minor: int, unit: int, profile: Profile
) -> tuple[float, float]:
    """Count and mean amount of the last 24 hours, exact unless the ring overflowed, the present one included."""
    if len(profile.ring_times) == RING_SIZE:
        return _card_window(first, left, 1, amount_minor, unit, profile)
    since = moment - SECONDS_PER_DAY
    ring = zip(profile.ring_times, profile.ring_amounts, strict=True)
    inside = [amount for time, amount in ring if since < time <= moment]
    count = len(inside) + 1
    return float(count), (sum(inside) + amount_minor) / count / unit


def _card_window(
    first: int, left: float, days: int, amount_minor: int, unit: int, profile: Profile
) -> tuple[float, float]:
    """Count and mean amount over so many days, the present transaction included."""
    count = window_sum(profile.counts, first, left, days) + 1.0
    return count, (window_sum(profile.sums, first, left, days) + amount_minor) / count / unit


def _z(amount_minor: int, profile: Profile) -> float:
    """Standard deviations above the card's usual amount; 0 for a new card."""
    if not profile.n:
        return 0.0
    return max(-_Z_BOUND, min((amount_minor - profile.mean) / max(profile.spread(), 1.0), _Z_BOUND))


def _peak_ratio(first: int, left: float, profile: Profile) -> float:
    """Largest ratio of the last 7 days; of the oldest, partly outside day, only while most of it is inside."""
    last = first + 7 + (left > 0.5)
    return max(profile.peak_ratios[max(first, 0) : max(last, 0)], default=0) / RATIO_STEPS


def _merchant_windows(first: int, left: float, merchant: MerchantHistory) -> list[float]:
    """Labelled count and fraud share over 1, 7 and 30 days that had LABEL_DELAY to mature, and all labelled since."""
    windows: list[float] = []
    for days in (1, 7, 30):
        count = window_sum(merchant.labelled, first, left, _MATURED_AFTER + days)
        fraud = window_sum(merchant.fraud, first, left, _MATURED_AFTER + days)
        windows += (count, fraud / count if count else 0.0)
    return windows


def _merchant_labels(at: float, merchant: MerchantHistory) -> tuple[float, ...]:
    outcomes = [is_fraud for _, is_fraud in merchant.recent]
    last3 = outcomes[-3:]
    return (
        float(min(merchant.fraud_run, LONGEST_HISTORY)),
        _age_days(at, merchant.run_since),
        _age_days(at, merchant.last_legitimate_at),
        float(outcomes[-1]) if outcomes else 0.0,
        sum(last3) / len(last3) if last3 else 0.0,
        sum(outcomes) / len(outcomes) if outcomes else 0.0,
        _age_days(at, merchant.last_fraud_at),
    )


def _age_days(at: float, since: float | None) -> float:
    if since is None:
        return OLDEST_DAYS
    return min(max((at - since) / SECONDS_PER_DAY, 0.0), OLDEST_DAYS)
