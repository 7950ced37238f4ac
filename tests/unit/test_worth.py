"""What decisions were worth: money by the cost settings, errors of automatic outcomes, the load of reviewers."""

import math

import numpy as np
import pytest

from rules.decision import Outcome
from rules.policy import CostPolicy
from rules.worth import Money, conduct, money, money_curve, outcomes

APPROVE, BLOCK, REVIEW = Outcome
COSTS = CostPolicy(fraud_loss=1.0, fraud_fee_minor=100, wrong_block_share=0.1, wrong_block_minor=20, review_minor=30)
MADE = [APPROVE, APPROVE, BLOCK, BLOCK, REVIEW, REVIEW]
FRAUD = np.array([True, False, True, False, True, False])
AMOUNT = np.array([1_000, 1_000, 2_000, 2_000, 500, 500])


def test_money_by_hand() -> None:
    spent = money(MADE, FRAUD, AMOUNT, COSTS)
    assert spent == Money(
        cost_minor=1_100 + 220 + 2 * 30,
        approve_all_minor=1_100 + 2_100 + 600,
        block_all_minor=120 + 220 + 70,
        review_all_minor=180,
    )
    assert spent.best_constant is REVIEW
    assert (spent.saved_minor, spent.saved_on_constant_minor) == (3_800 - 1_380, 180 - 1_380)


def test_what_is_always_decided_alike_saves_nothing_on_itself() -> None:
    spent = money([REVIEW] * 6, FRAUD, AMOUNT, COSTS)
    assert spent.saved_on_constant_minor == 0


def test_conduct_by_hand() -> None:
    fraud = np.array([True, False, False, False, False, True, True])
    found = conduct([APPROVE, APPROVE, APPROVE, BLOCK, BLOCK, BLOCK, REVIEW], fraud)
    assert (found.approved, found.blocked, found.reviewed) == (3, 3, 1)
    assert found.reviewed_share == pytest.approx(1 / 7)
    assert found.approve_error == pytest.approx(1 / 3)
    assert found.block_error == pytest.approx(2 / 3)
    assert (found.precision, found.recall) == (pytest.approx(1 / 2), pytest.approx(2 / 3))
    assert (found.block_precision, found.block_recall) == (pytest.approx(1 / 3), pytest.approx(1 / 3))


def test_a_share_of_nothing_is_no_number() -> None:
    found = conduct([REVIEW], np.array([False]))
    assert all(map(math.isnan, (found.approve_error, found.block_error, found.recall, found.block_precision)))


def test_outcomes_are_the_policys() -> None:
    policy = CostPolicy()
    assert outcomes([0.001, 0.3, 0.999], [1_000, 50_000, 50_000], policy) == [APPROVE, REVIEW, BLOCK]


def test_the_money_curve_runs_from_blocking_all_to_approving_all() -> None:
    told = np.array([0.1, 0.2, 0.95, 0.3, 0.5, 0.4])
    curve = dict(money_curve(FRAUD, told, AMOUNT, COSTS))
    spent = money(MADE, FRAUD, AMOUNT, COSTS)
    assert (curve[0.0], curve[1.0]) == (spent.block_all_minor, spent.approve_all_minor)
    assert curve[0.5] == 1_100  # the first fraud is approved, the other two blocked, and no good one is


def test_a_score_at_the_threshold_is_blocked() -> None:
    (curve,) = {at: cost for at, cost in money_curve([True], [0.5], [1_000], COSTS) if at == 0.5}.values()
    assert curve == 0
