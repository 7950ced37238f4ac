"""What labels say of an acceptor, as features: how many, how many of them fraud, and how the latest turned out."""

from models.daily import SECONDS_PER_DAY, window_sum
from models.merchant_history import HISTORY_DAYS, MerchantHistory

LABEL_DELAY = 7 * SECONDS_PER_DAY  # the Handbook's: risk is counted where labels have had this long to arrive
OLDEST_DAYS = 60.0  # an age beyond this, or of what never was
LONGEST_HISTORY = 1_000.0
_MATURED_AFTER = LABEL_DELAY // SECONDS_PER_DAY
_WINDOWS = _DAY, _WEEK, _MONTH = (_MATURED_AFTER + 1, _MATURED_AFTER + 7, _MATURED_AFTER + 30)

WINDOWS_UNKNOWN = (0.0,) * (2 * len(_WINDOWS))
LABELS_UNKNOWN = (0.0, OLDEST_DAYS, OLDEST_DAYS, 0.0, 0.0, 0.0, OLDEST_DAYS)


def acceptor_windows(first: int, left: float, merchant: MerchantHistory) -> tuple[float, ...]:
    """Labelled count and fraud share over 1, 7 and 30 days that had LABEL_DELAY to mature, and all labelled since.

    `first` and `left` as of `models.daily.window_sum`.
    """
    rolled = _rolled if -_DAY <= first < HISTORY_DAYS - _MONTH else _rolled_out
    day_count, week_count, month_count = rolled(merchant.labelled, first, left)
    day_fraud, week_fraud, month_fraud = rolled(merchant.fraud, first, left)
    return (
        day_count,
        day_fraud / day_count if day_count else 0.0,
        week_count,
        week_fraud / week_count if week_count else 0.0,
        month_count,
        month_fraud / month_count if month_count else 0.0,
    )


def acceptor_latest(at: float, merchant: MerchantHistory) -> tuple[float, ...]:
    """The run of frauds, ages in days, and shares of fraud among the latest labels."""
    run, recent = merchant.fraud_run, merchant.recent
    outcomes = [is_fraud for _, is_fraud in recent]
    count = len(recent)
    return (
        run + 0.0 if run < LONGEST_HISTORY else LONGEST_HISTORY,
        _age_days(at, merchant.run_since),
        _age_days(at, merchant.last_legitimate_at),
        1.0 if count and outcomes[-1] else 0.0,
        sum(outcomes[-3:]) / (count if count < 3 else 3) if count else 0.0,
        sum(outcomes) / count if count else 0.0,
        _age_days(at, merchant.last_fraud_at),
    )


def _rolled(buckets: tuple[int, ...], first: int, left: float) -> tuple[float, float, float]:
    """All windows in one walk, where they lie within the buckets."""
    begin = first if first > 0 else 0
    day, week, month = first + _DAY, first + _WEEK, first + _MONTH
    by_day = sum(buckets[begin:day])
    by_week = sum(buckets[day:week], by_day)
    by_month = sum(buckets[week:month], by_week)
    return by_day + left * buckets[day], by_week + left * buckets[week], by_month + left * buckets[month]


def _rolled_out(buckets: tuple[int, ...], first: int, left: float) -> tuple[float, float, float]:
    """All windows one by one, wherever they lie."""
    day, week, month = (window_sum(buckets, first, left, days) for days in _WINDOWS)
    return day, week, month


def _age_days(at: float, since: float | None) -> float:
    if since is None:
        return OLDEST_DAYS
    age = (at - since) / SECONDS_PER_DAY
    return 0.0 if age < 0.0 else age if age < OLDEST_DAYS else OLDEST_DAYS
