"""The common work: one payment decided, by an account's state, 28 features, 54 hinges, a regression and 20 rules.

Every candidate of `bench.peers` does it with this code, unless it does nothing at all: so what differs is the engine.
It imports nothing of ours, so that it runs in an environment that has only the engine.
"""

import struct
from datetime import datetime
from math import exp, floor, log, sqrt
from time import time
from typing import Any

import orjson

from bench.peers.weights import BIAS, BLOCK_FROM, HINGES, MODEL_VERSION, REVIEW_FROM, RULES_VERSION

DECISIONS = ("approve", "review", "block")
RING = 16  # latest payments that an account remembers
HOUR, DAY, WEEK = 3_600.0, 86_400.0, 604_800.0
LONGEST_LOG = log(1.0 + 30 * DAY)

State = list[Any]  # n, sum, mean, squares, times, amounts; the latter two oldest first
_PACKING = [struct.Struct(f"<{4 + 2 * known}d") for known in range(RING + 1)]


def pack(state: State) -> bytes:
    """A state as its changelog has it."""
    return _PACKING[len(state[4])].pack(*state[:4], *state[4], *state[5])


def unpack(packed: bytes) -> State:
    """The state that was packed."""
    known = (len(packed) // 8 - 4) // 2
    values = _PACKING[known].unpack(packed)
    return [int(values[0]), *values[1:4], list(values[4 : 4 + known]), list(values[4 + known :])]


def decide(state: State | None, value: bytes, partition: int, offset: int) -> tuple[int, bytes, State]:  # noqa: C901 - in one, as whoever wants speed writes it
    """Which of DECISIONS, the decision as JSON, and the account's state after it. `state` is changed in place."""
    document = orjson.loads(value)
    amount, event_time, history = document["amount"], document["event_time"], document["history"]
    merchant, auth, channel = document["merchant"], document["auth"], document["channel"]
    at = datetime.fromisoformat(event_time).timestamp()
    if state is None:
        state = [0, 0.0, 0.0, 0.0, [], []]
    n, total, mean, squares, times, amounts = state

    f1 = log(1.0 + amount)
    count_1h = count_1d = count_7d = 0
    sum_1h = sum_1d = sum_7d = 0.0
    if n:
        f2 = amount / mean if mean > 0.0 else 1.0
        f3 = max(-10.0, min(10.0, (amount - mean) / sqrt(squares / (n - 1)))) if n > 1 and squares > 0.0 else 0.0
        f4 = max(amounts) / mean if mean > 0.0 else 0.0
        for position in range(len(times) - 1, -1, -1):
            age = at - times[position]
            if age > WEEK:
                break
            paid = amounts[position]
            count_7d += 1
            sum_7d += paid
            if age <= DAY:
                count_1d += 1
                sum_1d += paid
                if age <= HOUR:
                    count_1h += 1
                    sum_1h += paid
        since = at - times[-1]
        f14 = log(1.0 + since) if since > 0.0 else 0.0
    else:
        f2, f3, f4, f14 = 1.0, 0.0, 0.0, LONGEST_LOG
    day = at // DAY
    f15 = (at - day * DAY) / HOUR
    night = 1 if f15 < 6.0 or f15 >= 23.0 else 0
    declines, age_days, installments = history["declines_24h"], history["account_age_days"], document["installments"]
    recurring, cvv_ok, country = document["is_recurring"], auth["cvv_ok"], merchant["country"]
    foreign = country != document["geo"]["country"]
    count_told, spent_told = history["txn_count_1h"], history["amount_sum_24h"]

    z = _hinges(
        f1, f2, f3, f4, n, total, mean, count_1h, sum_1h, count_1d, sum_1d, count_7d, sum_7d, f14, f15,
        1 if (int(day) + 3) % 7 >= 5 else 0, night, count_told, history["txn_count_24h"], spent_told, declines,
        log(1.0 + age_days), installments, 1 if recurring else 0, 0 if cvv_ok else 1, 1 if foreign else 0,
        amount / (1.0 + spent_told),
    )  # fmt: skip
    model_score = 1.0 / (1.0 + exp(-z))

    rules = []
    if amount > 2_000:
        z += 1.5
        rules.append("AMT_HIGH")
    if f2 > 8 and n >= 3:
        z += 1.2
        rules.append("RATIO")
    if f3 > 4:
        z += 0.8
        rules.append("ZSCORE")
    if count_1h >= 3:
        z += 1.0
        rules.append("VEL_1H")
    if sum_1d > 1_500:
        z += 0.7
        rules.append("SUM_24H")
    if amount > 200 and merchant["mcc"] in ("4829", "7995"):
        z += 0.9
        rules.append("MCC_RISK")
    if country == "NG" and amount > 50:
        z += 0.6
        rules.append("CTRY_NG")
    if country == "CN" and channel == "ecom" and amount > 80:
        z += 0.5
        rules.append("CTRY_CN")
    if not cvv_ok and channel != "pos":
        z += 1.1
        rules.append("CVV")
    if auth["avs"] == "N" and amount > 100:
        z += 0.4
        rules.append("AVS")
    if auth["three_ds"] == "none" and channel == "ecom" and amount > 150:
        z += 0.5
        rules.append("NO_3DS")
    if night and amount > 300:
        z += 0.6
        rules.append("NIGHT")
    if document["entry_mode"] == "manual" and amount > 250:
        z += 0.5
        rules.append("MANUAL")
    if age_days < 30 and amount > 100:
        z += 1.0
        rules.append("NEW_ACC")
    if declines >= 4:
        z += 0.7
        rules.append("DECLINES")
    if installments >= 10 and amount > 400:
        z += 0.4
        rules.append("INSTALL")
    if foreign and f2 > 3:
        z += 0.5
        rules.append("FOREIGN")
    if count_told >= 18:
        z += 0.6
        rules.append("HIST_VEL")
    if document["device"]["os"] == "web" and recurring and amount > 100:
        z += 0.3
        rules.append("WEB_REC")
    if document["currency"] == "PLN" and amount > 500:
        z += 0.3
        rules.append("PLN")
    risk = 1.0 / (1.0 + exp(-z))
    which = 2 if risk >= BLOCK_FROM else 1 if risk >= REVIEW_FROM else 0

    kept = 5.0 * mean if n and mean > 0.0 and amount > 5.0 * mean else amount
    before = kept - mean
    after = mean + before / (n + 1)
    state[:4] = n + 1, total + amount, after, squares + before * (kept - after)
    times.append(at)
    amounts.append(amount)
    if len(times) > RING:
        del times[0], amounts[0]

    decision = orjson.dumps(
        {
            "transaction_id": document["transaction_id"],
            "account_id": document["account_id"],
            "event_time": event_time,
            "decision": DECISIONS[which],
            "risk": floor(risk * 1e6 + 0.5) / 1e6,
            "model_score": floor(model_score * 1e6 + 0.5) / 1e6,
            "amount": amount,
            "currency": document["currency"],
            "merchant_id": merchant["id"],
            "rules": rules,
            "features": {
                "ratio": floor(f2 * 1e4 + 0.5) / 1e4,
                "z": floor(f3 * 1e4 + 0.5) / 1e4,
                "max_ratio": floor(f4 * 1e4 + 0.5) / 1e4,
                "n": n,
                "mean": floor(mean * 1e4 + 0.5) / 1e4,
                "c1h": count_1h,
                "s1h": floor(sum_1h * 1e2 + 0.5) / 1e2,
                "c24h": count_1d,
                "s24h": floor(sum_1d * 1e2 + 0.5) / 1e2,
                "c7d": count_7d,
                "s7d": floor(sum_7d * 1e2 + 0.5) / 1e2,
                "since": floor(f14 * 1e4 + 0.5) / 1e4,
                "hour": floor(f15 * 1e2 + 0.5) / 1e2,
                "night": night,
            },
            "thresholds": {"review": REVIEW_FROM, "block": BLOCK_FROM},
            "model_version": MODEL_VERSION,
            "rules_version": RULES_VERSION,
            "decision_source": "model+rules",
            "schema_version": 3,
            "source": {"partition": partition, "offset": offset},
            "decided_at": int(time() * 1000),
        }
    )
    return which, decision, state


def _unrolled() -> Any:
    """The hinges as one expression a feature, as a compiler of models would write them."""
    lines = [f"def hinges({', '.join(f'f{each}' for each in range(1, 28))}):", f"    z = {BIAS!r}"]
    for (feature, knot, weight), (_, other, added) in zip(HINGES[::2], HINGES[1::2], strict=True):
        lines += [
            f"    if f{feature} > {knot!r}:",
            f"        z += {weight!r} * (f{feature} - {knot!r})",
            f"        if f{feature} > {other!r}:",
            f"            z += {added!r} * (f{feature} - {other!r})",
        ]
    space: dict[str, Any] = {}
    exec("\n".join([*lines, "    return z"]), space)  # noqa: S102 - of numbers that stand in `weights`
    return space["hinges"]


_hinges = _unrolled()
