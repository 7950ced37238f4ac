"""What each feature is, written plainly from the profile's state: the reference that the fast form must equal."""

import math
from typing import Any

from models.acceptor_labels import LONGEST_HISTORY
from models.circumstances import CIRCUMSTANCES
from models.currency import minor_per_major
from models.daily import window_sum
from models.marks import mark
from models.merchant_history import MerchantHistory
from models.profile import RING_SIZE, Profile

DAY = 86_400
SET_OFF = 32  # four payments' worth of a habit


def plain_features(
    at: float, paid: Any, profile: Profile, history: MerchantHistory | None, card_fraud_at: float | None
) -> dict[str, float]:
    """Every feature by its name."""
    unit = minor_per_major(paid.currency)
    amount = paid.amount_minor / unit
    return {
        "amount": amount,
        "is_weekend": float((int(at // DAY) + 3) % 7 >= 5),
        "is_night": float(at % DAY // 3_600 <= 6),
        **_days(at, paid.amount_minor, unit, profile),
        **_hours(at, paid, unit, profile),
        **_acceptor(at, history),
        **_habit(at, paid.amount_minor, profile),
        **_novelty(at, paid, profile),
        **dict(zip(CIRCUMSTANCES, _circumstances(paid), strict=True)),
        "card_fraud_known": float(card_fraud_at is not None and at - card_fraud_at < 30 * DAY),
    }


def _ring(at: float, profile: Profile, seconds: int) -> list[tuple[int, int]]:
    return [(amount, where) for time, amount, _, _, where in profile.ring if 0 <= int(at) - time < seconds]


def _window(buckets: list[int], at: float, profile: Profile, days: int) -> float:
    return window_sum(buckets, profile.day - int(at // DAY), 1 - at % DAY / DAY, days)


def _days(at: float, amount: int, unit: int, profile: Profile) -> dict[str, float]:
    told = {}
    for days in (1, 7, 30):
        inside = _ring(at, profile, DAY)
        count, total = float(len(inside)), float(sum(each for each, _ in inside))
        if days > 1 or len(profile.ring) == RING_SIZE:
            count, total = _window(profile.counts, at, profile, days), _window(profile.sums, at, profile, days)
        told[f"card_count_{days}d"] = count + 1
        told[f"card_mean_{days}d"] = (total + amount) / (count + 1) / unit
    return told


def _hours(at: float, paid: Any, unit: int, profile: Profile) -> dict[str, float]:
    told = {}
    for name, seconds in (("10m", 600), ("1h", 3_600), ("1d", DAY)):
        inside = _ring(at, profile, seconds)
        if name != "1d":
            told[f"card_count_{name}"] = float(len(inside))
            told[f"card_sum_{name}"] = sum(amount for amount, _ in inside) / unit
        if name != "10m":
            merchants = {mark(paid.merchant_id or paid.acceptor), *(where for _, where in inside)}
            told[f"card_merchants_{name}"] = float(len(merchants - {0}))
    idle = max(int(at) - profile.newest, 0) / 60 if profile.n else 86_400.0
    return told | {"card_idle_minutes": min(idle, 86_400.0)}


def _acceptor(at: float, history: MerchantHistory | None) -> dict[str, float]:
    known = history or MerchantHistory()
    told = {}
    for days in (1, 7, 30):
        place = known.newest_day - int(at // DAY), 1 - at % DAY / DAY, 7 + days
        count, fraud = window_sum(known.labelled, *place), window_sum(known.fraud, *place)
        told |= {f"merchant_count_{days}d": count, f"merchant_risk_{days}d": fraud / count if count else 0.0}
    latest = [is_fraud for _, is_fraud in known.recent]
    for count in (3, 8):
        told[f"merchant_risk_last{count}"] = sum(latest[-count:]) / len(latest[-count:]) if latest else 0.0
    ages = (known.run_since, known.last_legitimate_at, known.last_fraud_at)
    names = ("merchant_fraud_run_age", "merchant_legit_age", "merchant_fraud_age")
    for name, since in zip(names, ages, strict=True):
        told[name] = 60.0 if since is None else min(max((at - since) / DAY, 0.0), 60.0)
    run = min(float(known.fraud_run), LONGEST_HISTORY)
    return told | {"merchant_fraud_run": run, "merchant_last_was_fraud": float(bool(latest) and latest[-1])}


def _habit(at: float, amount: int, profile: Profile) -> dict[str, float]:
    first, span = profile.day - int(at // DAY), int(at % DAY // 7_200)
    weekday = (int(at // DAY) + 3) % 7
    last = first + 7 + (1 - at % DAY / DAY > 0.5)
    around = (2 * profile.hours[span] + profile.hours[(span - 1) % 12] + profile.hours[(span + 1) % 12]) / 4
    weight, half = min(profile.n, 200), profile.mean / 2
    spread = math.sqrt((profile.variance * weight + half * half * 5) / (weight + 5))
    off = (amount - profile.mean) / max(spread, 1.0) if profile.n else 0.0
    return {
        "amount_ratio": amount * (weight + 1) / max(profile.mean * weight + amount, 1.0),
        "amount_z": max(-100.0, min(off, 100.0)),
        "card_history": min(float(profile.n), 1_000.0),
        "card_max_ratio_7d": max(profile.peak_ratios[max(first, 0) : max(last, 0)], default=0) / 64,
        "card_big_14d": _window(profile.big_counts, at, profile, 14),
        "hour_habit": (12 * around + SET_OFF) / (sum(profile.weekdays) + SET_OFF),
        "weekday_habit": (7 * profile.weekdays[weekday] + SET_OFF) / (sum(profile.weekdays) + SET_OFF),
    }


def _novelty(at: float, paid: Any, profile: Profile) -> dict[str, float]:
    merchant = mark(paid.merchant_id or paid.acceptor)
    first = profile.day - int(at // DAY)
    days_ago = {known: age - first for known, age in zip(profile.merchants, profile.merchant_ages, strict=True)}
    told = {
        f"card_merchants_{days}d": float(
            len({merchant, *(known for known, ago in days_ago.items() if 0 <= ago < days)})
        )
        for days in (7, 30)
    }
    told["merchant_is_new"] = float(bool(days_ago) and merchant not in days_ago)
    told["merchant_visit_age"] = min(max(float(days_ago.get(merchant, 60)), 0.0), 60.0)
    for name, value, known in (
        ("country", paid.merchant_country, profile.countries),
        ("device", paid.device_id, profile.devices),
        ("category", paid.mcc, profile.categories),
    ):
        told[f"{name}_is_new"] = float(value is not None and bool(known) and mark(value) not in known)
    return told


def _circumstances(paid: Any) -> list[float]:
    avs, entry = paid.avs_result, (paid.pan_entry_mode or "--")[:2]
    status, eci = paid.three_ds_status, paid.eci
    part = 0.5 * (avs in list("ABPWZ"))
    authenticated = {"Y": 1.0, "A": 0.5}.get(status, 0.0) if status else {"05": 1.0, "06": 0.5}.get(eci, 0.0)
    abroad = None not in (paid.merchant_country, paid.card_country) and paid.merchant_country != paid.card_country
    return [
        *(float(paid.channel == each) for each in ("card_present", "ecommerce", "moto", "recurring")),
        float(entry in ("05", "07", "95")),
        float(entry in ("02", "80", "90", "91")),
        float(entry == "01"),
        float(entry == "10"),
        float(avs in list("DFMXY")) + part,
        float(avs in list("NC")) + part,
        float(paid.cvv_result == "M"),
        float(paid.cvv_result == "N"),
        authenticated,
        {"N": 1.0, "R": 1.0, "U": 0.5}.get(status, 0.0),
        float(abroad),
    ]
