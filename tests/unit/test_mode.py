"""The mode of a worker: worse at once, better after a dwell and a calm, and never better than what is true."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from rules.breaker import BreakerState
from rules.decision import FallbackReason
from rules.mode import Limits, Mode, ModeMachine, ModePolicy, ModeReason, Vitals

POLICY = ModePolicy(dwell_seconds=1.0, calm_seconds=2.0, soft_held_seconds=0.0, soft_calm_seconds=10.0)
LIMITS = Limits(slow=0.02, old=0.25, stale=86_400.0)
WELL = Vitals(
    snapshot_age_seconds=10.0,
    label_age_seconds=3_600.0,
    scoring_seconds=0.002,
    age_seconds=0.03,
    rules_failed_share=0.0,
    lanes=4,
)
OPEN, FORCED_OPEN, FORCED_CLOSED = BreakerState.OPEN, BreakerState.FORCED_OPEN, BreakerState.FORCED_CLOSED
RANK = {mode: rank for rank, mode in enumerate((Mode.NORMAL, Mode.DEGRADED, Mode.STAND_IN, Mode.SAFE_DEFAULT))}


def a_machine(policy: ModePolicy = POLICY) -> ModeMachine:
    return ModeMachine(policy, LIMITS, now=0.0)


def test_a_worker_that_is_well_is_normal_and_withholds_nothing() -> None:
    machine = a_machine()
    assert machine.look(WELL, 5.0) is None
    assert (machine.mode, machine.withheld) == (Mode.NORMAL, None)


@pytest.mark.parametrize(
    ("seen", "mode", "reason", "withheld"),
    [
        ({"breaker": FORCED_OPEN}, Mode.STAND_IN, ModeReason.FORCED, FallbackReason.FORCED),
        (
            {"breaker": BreakerState.HALF_OPEN, "released": True},
            Mode.STAND_IN,
            ModeReason.FORCED,
            FallbackReason.FORCED,
        ),
        ({"scorer_alive": False}, Mode.STAND_IN, ModeReason.CONNECTION_ERROR, FallbackReason.CONNECTION_ERROR),
        ({"breaker": OPEN}, Mode.STAND_IN, ModeReason.CIRCUIT_OPEN, FallbackReason.CIRCUIT_OPEN),
        ({"breaker": BreakerState.HALF_OPEN}, Mode.STAND_IN, ModeReason.CIRCUIT_OPEN, FallbackReason.CIRCUIT_OPEN),
        ({"has_snapshot": False}, Mode.STAND_IN, ModeReason.MODEL_COLD_START, FallbackReason.MODEL_COLD_START),
        (
            {"has_snapshot": False, "scorer_alive": False},  # a worker that has just begun
            Mode.STAND_IN,
            ModeReason.MODEL_COLD_START,
            FallbackReason.MODEL_COLD_START,
        ),
        ({"snapshot_age_seconds": 86_400.0}, Mode.STAND_IN, ModeReason.MODEL_STALE, FallbackReason.MODEL_STALE),
        ({"lanes_behind": 4}, Mode.STAND_IN, ModeReason.CONSUMER_LAG, None),
        ({"rules_failed_share": 0.5}, Mode.SAFE_DEFAULT, ModeReason.RULES_FAILED, None),
        ({"breaker": FORCED_CLOSED}, Mode.DEGRADED, ModeReason.FORCED, None),
        ({"rules_failed_share": 0.001}, Mode.DEGRADED, ModeReason.RULES_FAILED, None),
        ({"label_age_seconds": 7 * 86_400.0}, Mode.DEGRADED, ModeReason.LABELS_STALE, None),
        ({"drifts": True}, Mode.DEGRADED, ModeReason.MODEL_DRIFTS, None),
        ({"lanes_behind": 1}, Mode.DEGRADED, ModeReason.CONSUMER_LAG, None),
        ({"age_seconds": 0.25}, Mode.DEGRADED, ModeReason.TRANSACTION_TOO_OLD, None),
        ({"scoring_seconds": 0.02}, Mode.DEGRADED, ModeReason.RESPONSE_SLOW, None),
    ],
    ids=str,
)
def test_each_doubt_has_its_mode(
    seen: dict[str, object], mode: Mode, reason: ModeReason, withheld: FallbackReason | None
) -> None:
    machine, vitals = a_machine(), replace(WELL, **seen)
    change = machine.look(vitals, 5.0)
    assert change is not None
    assert (change.before, change.after, change.reason) == (Mode.NORMAL, mode, reason)
    assert (change.evidence, change.at, change.lasted_seconds) == (vitals, 5.0, 5.0)
    assert (machine.mode, machine.reason, machine.withheld) == (mode, reason, withheld)


@pytest.mark.parametrize(
    "nearly",
    [
        {"snapshot_age_seconds": 86_399.0},
        {"lanes": 0},
        {"age_seconds": 0.2499},
        {"scoring_seconds": 0.0199},
        {"age_seconds": None, "scoring_seconds": None, "rules_failed_share": None},
    ],
    ids=str,
)
def test_just_below_its_bound_it_is_none(nearly: dict[str, object]) -> None:
    assert a_machine().look(replace(WELL, **nearly), 5.0) is None


def test_of_two_doubts_the_worse_counts_and_of_equals_the_first() -> None:
    machine = a_machine()
    machine.look(replace(WELL, lanes_behind=1, scorer_alive=False, breaker=OPEN), 1.0)
    assert (machine.mode, machine.reason) == (Mode.STAND_IN, ModeReason.CONNECTION_ERROR)
    machine.look(replace(WELL, breaker=FORCED_OPEN, scorer_alive=False), 1.5)
    assert (machine.mode, machine.reason, machine.withheld) == (Mode.STAND_IN, ModeReason.FORCED, FallbackReason.FORCED)


def test_rules_that_fail_do_not_hide_that_the_model_is_withheld() -> None:
    machine = a_machine()
    machine.look(replace(WELL, rules_failed_share=1.0, breaker=OPEN), 1.0)
    assert (machine.mode, machine.withheld) == (Mode.SAFE_DEFAULT, FallbackReason.CIRCUIT_OPEN)


@pytest.mark.parametrize(
    ("field", "begins", "ends"), [("age_seconds", 0.25, 0.2), ("scoring_seconds", 0.02, 0.016)], ids=str
)
def test_a_number_must_be_well_below_its_bound_for_its_calm(field: str, begins: float, ends: float) -> None:
    machine = a_machine()
    machine.look(replace(WELL, **{field: begins}), 0.0)
    for now in (1.0, 20.0):
        assert machine.look(replace(WELL, **{field: ends * 1.001}), now) is None
    assert machine.look(replace(WELL, **{field: ends}), 21.0) is None
    assert machine.look(replace(WELL, **{field: ends}), 30.9) is None
    change = machine.look(replace(WELL, **{field: ends}), 31.0)
    assert change is not None
    assert change.after is Mode.NORMAL


@pytest.mark.parametrize("field", ["age_seconds", "scoring_seconds"])
def test_a_number_must_be_high_for_its_time_without_a_break(field: str) -> None:
    machine, high = a_machine(replace(POLICY, soft_held_seconds=1.0)), replace(WELL, **{field: 1.0})
    assert [machine.look(high, now) for now in (10.0, 10.5, 10.9)] == [None] * 3
    assert machine.look(WELL, 11.0) is None
    assert [machine.look(high, now) for now in (11.5, 12.0, 12.4)] == [None] * 3
    change = machine.look(high, 12.5)
    assert change is not None
    assert change.after is Mode.DEGRADED


def test_lanes_that_catch_up_in_turns_leave_the_mode_as_it_is_until_none_is_behind() -> None:
    machine = a_machine()
    behind = [4, 3, 1, 4, 2, 1, 1, 4, 1, 0, 0, 0]
    changes = [machine.look(replace(WELL, lanes_behind=count), 5.0 * now) for now, count in enumerate(behind)]
    told = [(now, change.after) for now, change in enumerate(changes) if change is not None]
    assert told == [(0, Mode.STAND_IN), (11, Mode.NORMAL)]


def test_a_fact_must_be_gone_for_its_calm() -> None:
    machine = a_machine()
    machine.look(replace(WELL, breaker=OPEN), 10.0)
    assert machine.look(WELL, 11.0) is None
    assert machine.look(WELL, 12.9) is None
    assert machine.withheld is FallbackReason.CIRCUIT_OPEN
    change = machine.look(WELL, 13.0)
    assert change is not None
    assert (change.after, change.reason, change.lasted_seconds) == (Mode.NORMAL, ModeReason.RECOVERED, 3.0)
    assert machine.withheld is None


def test_a_better_mode_waits_for_the_dwell_and_a_worse_one_does_not() -> None:
    machine = a_machine(replace(POLICY, calm_seconds=0.0, dwell_seconds=5.0))
    machine.look(replace(WELL, lanes_behind=1), 0.0)
    assert machine.look(WELL, 4.9) is None
    assert machine.look(replace(WELL, breaker=OPEN), 4.75) is not None
    assert machine.look(replace(WELL, lanes_behind=1), 9.5) is None
    change = machine.look(replace(WELL, lanes_behind=1), 9.75)
    assert change is not None
    assert (change.before, change.after, change.reason) == (Mode.STAND_IN, Mode.DEGRADED, ModeReason.CONSUMER_LAG)


def test_an_operator_who_keeps_the_model_is_obeyed_though_it_is_stale() -> None:
    machine = a_machine()
    machine.look(replace(WELL, breaker=FORCED_CLOSED, snapshot_age_seconds=1e9), 5.0)
    assert (machine.mode, machine.reason, machine.withheld) == (Mode.DEGRADED, ModeReason.FORCED, None)


def test_ages_that_swing_about_their_bound_for_ten_minutes_change_the_mode_once() -> None:
    machine = a_machine()
    swinging = (replace(WELL, age_seconds=0.4 if second % 10 < 5 else 0.02) for second in range(600))
    changes = [machine.look(vitals, float(second)) for second, vitals in enumerate(swinging)]
    assert sum(change is not None for change in changes) == 1


@pytest.mark.parametrize("wave", [{"age_seconds": 0.4}, {"lanes_behind": 1}], ids=str)
def test_a_wave_each_minute_is_a_mode_or_two_and_not_one_each_minute(wave: dict[str, float]) -> None:
    machine = a_machine()
    seen = (replace(WELL, **wave) if second % 60 < 3 else WELL for second in range(3_600))
    changes = [machine.look(vitals, float(second)) for second, vitals in enumerate(seen)]
    assert [change.after for change in changes if change is not None] == [
        *[Mode.DEGRADED, Mode.NORMAL] * 2,
        Mode.DEGRADED,
    ]


def test_a_scorer_that_is_slow_again_is_doubted_no_longer_than_the_first_time() -> None:
    machine = a_machine()
    for minute in range(3):
        assert machine.look(replace(WELL, scoring_seconds=1.0), 60.0 * minute) is not None
        assert machine.look(WELL, 60.0 * minute + 1) is None
        assert machine.look(WELL, 60.0 * minute + 1 + POLICY.soft_calm_seconds) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"dwell_seconds": -1.0},
        {"calm_seconds": float("nan")},
        {"soft_held_seconds": -1.0},
        {"soft_calm_seconds": -1.0},
        {"longest_calm_seconds": -1.0},
    ],
    ids=str,
)
def test_a_policy_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="negative"):
        ModePolicy(**wrong)


def any_vitals(rng: Random) -> Vitals:
    return Vitals(
        breaker=rng.choice(list(BreakerState)),
        scorer_alive=rng.random() < 0.8,
        has_snapshot=rng.random() < 0.8,
        snapshot_age_seconds=rng.choice([None, 0.0, 85_600.0, 86_400.0]),
        label_age_seconds=rng.choice([None, 0.0, 600_000.0, 604_800.0]),
        scoring_seconds=rng.choice([None, 0.0, 0.015, 0.02]),
        age_seconds=rng.choice([None, 0.0, 0.2, 0.25]),
        rules_failed_share=rng.choice([None, 0.0, 0.1, 0.3, 0.5]),
        lanes=4,
        lanes_behind=rng.choice([0, 0, 1, 4]),
    )


def withholds(vitals: Vitals) -> bool:
    """Whether the model cannot or must not be asked, as plainly as it can be said."""
    return (
        vitals.breaker not in (BreakerState.CLOSED, FORCED_CLOSED)
        or not vitals.scorer_alive
        or not vitals.has_snapshot
        or (vitals.breaker is not FORCED_CLOSED and (vitals.snapshot_age_seconds or 0.0) >= LIMITS.stale)
    )


def test_a_million_histories_keep_what_the_machine_promises() -> None:
    """Each look is the end of one: 10,000 beginnings, each followed for a hundred looks."""
    rng = Random(20_261_121)
    seen = [(each, withholds(each)) for each in [WELL] * 100 + [any_vitals(rng) for _ in range(300)]]
    for _ in range(10_000):
        machine, now, changed_at, hard_at = a_machine(), 0.0, 0.0, -100.0
        for _ in range(100):
            now += rng.random() * 3.0
            vitals, hard = seen[int(rng.random() * 400)]
            before = machine.mode
            change = machine.look(vitals, now)
            if hard:
                hard_at = now
                assert RANK[machine.mode] >= RANK[Mode.STAND_IN]
                assert machine.withheld is not None
            assert (change is None) == (machine.mode is before)
            if change is not None:
                assert (change.before, change.after) == (before, machine.mode)
                if RANK[machine.mode] < RANK[before]:
                    assert now - changed_at >= POLICY.dwell_seconds
                    assert RANK[machine.mode] >= RANK[Mode.STAND_IN] or now - hard_at >= POLICY.calm_seconds
                changed_at = now
            if RANK[machine.mode] < RANK[Mode.STAND_IN]:
                assert machine.withheld is None


def test_whatever_was_a_worker_that_is_well_for_long_enough_is_normal() -> None:
    rng = Random(7)
    for _ in range(2_000):
        machine, now = a_machine(), 0.0
        for _ in range(rng.randrange(20)):
            now += rng.random() * 10
            machine.look(any_vitals(rng), now)
        for _ in range(3):
            machine.look(WELL, now := now + POLICY.longest_calm_seconds)
        assert (machine.mode, machine.reason, machine.withheld) == (Mode.NORMAL, ModeReason.RECOVERED, None)


def test_the_order_of_the_modes_is_from_the_best_to_the_worst() -> None:
    assert all(RANK[better] < RANK[worse] for better, worse in pairwise(Mode))
