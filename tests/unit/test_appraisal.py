"""The appraisal: which weeks, which payments, and each measure where it belongs."""

import math
from dataclasses import replace

import numpy as np
import pytest

from models.daily import SECONDS_PER_DAY
from models.evaluation import handbook_quality
from rules.appraisal import Judged, NothingToAppraise, Protocol, appraise, decided, weeks_of_all, weeks_to_test
from rules.decision import Outcome
from rules.policy import CostPolicy

POLICY = CostPolicy()
DAYS, A_DAY = 42, 60


def judged(*, seed: int = 3) -> Judged:
    """Scores that are worth something, of a few cards, in two currencies."""
    chance = np.random.default_rng(seed)
    count = DAYS * A_DAY
    probability = chance.beta(0.4, 4.0, count)
    amount = chance.integers(100, 60_000, count)
    return Judged(
        seconds=np.sort(chance.uniform(0, DAYS * SECONDS_PER_DAY, count)),
        card=chance.integers(0, 300, count),
        is_fraud=chance.random(count) < probability,
        probability=probability,
        amount_minor=amount,
        currency=np.where(chance.random(count) < 0.7, "EUR", "USD"),
        outcome=decided(probability, amount, POLICY),
    )


def test_without_a_day_all_whole_weeks_after_the_warm_up_are_tested_back_from_the_end() -> None:
    seconds = np.array([0.0, 59.5 * SECONDS_PER_DAY])
    assert weeks_to_test(seconds, first_day=None) == [39, 46, 53]


def test_from_a_day_on_all_whole_weeks_are_tested() -> None:
    seconds = np.array([0.0, 59.5 * SECONDS_PER_DAY])
    assert weeks_to_test(seconds, first_day=40) == [40, 47]


@pytest.mark.parametrize(("days", "weeks"), [(0, [-6]), (6, [0]), (7, [-6, 1]), (13, [0, 7])])
def test_weeks_back_from_the_end_have_every_payment(days: int, weeks: list[int]) -> None:
    assert weeks_of_all(np.array([0.5, (days + 0.5) * SECONDS_PER_DAY])) == weeks


@pytest.mark.parametrize("first_day", [None, 36])
def test_too_little_says_so(first_day: int | None) -> None:
    with pytest.raises(NothingToAppraise, match="days 0 to 40"):
        weeks_to_test(np.array([0.0, 40.9 * SECONDS_PER_DAY]), first_day=first_day)


def test_a_week_by_the_handbook_is_the_handbooks() -> None:
    of = judged()
    (week,) = appraise(of, [28], POLICY).weeks
    assert week.quality == handbook_quality(of.seconds, of.card, of.is_fraud, of.probability, first_day=28)


def test_all_payments_count_where_no_card_is_left_out() -> None:
    of = judged()
    day = of.seconds // SECONDS_PER_DAY
    found = appraise(of, [28, 35], POLICY, protocol=Protocol.PREQUENTIAL)
    assert [week.quality.transactions for week in found.weeks] == [
        int(((day >= first) & (day < first + 7)).sum()) for first in (28, 35)
    ]


def test_the_whole_has_all_weeks() -> None:
    found = appraise(judged(), [21, 28, 35], POLICY)
    for of in (lambda each: each.quality.transactions, lambda each: each.conduct.blocked):
        assert of(found.whole) == sum(map(of, found.weeks))
    assert found.whole.money["EUR"].cost_minor == pytest.approx(
        sum(week.money["EUR"].cost_minor for week in found.weeks), abs=3
    )
    assert found.whole.quality.card_precision == pytest.approx(
        np.mean([week.quality.card_precision for week in found.weeks])
    )
    assert (found.whole.first_day, found.whole.days) == (21, 21)


def test_money_is_never_added_across_currencies() -> None:
    found = appraise(judged(), [35], POLICY)
    assert set(found.whole.money) == {"EUR", "USD"}
    assert found.curves.money_currency == "EUR"


def test_what_no_model_scored_counts_by_its_outcome_alone() -> None:
    of = judged()
    unscored = of.probability.copy()
    unscored[-100:] = math.nan
    outcome = of.outcome.copy()
    outcome[-100:] = Outcome.REVIEW.value
    found = appraise(replace(of, probability=unscored, outcome=outcome), [35], POLICY, protocol=Protocol.PREQUENTIAL)
    assert found.whole.unscored == 100
    assert found.whole.conduct.reviewed >= 100
    conduct = found.whole.conduct
    assert found.whole.quality.transactions + 100 == conduct.approved + conduct.blocked + conduct.reviewed


def test_what_was_neither_scored_nor_decided_is_not_tested() -> None:
    of = judged()
    nothing = of.rescored(np.full(of.probability.size, math.nan), POLICY)
    with pytest.raises(NothingToAppraise, match="no payment"):
        appraise(nothing, [35], POLICY)


def test_a_rival_is_judged_on_the_same_payments_by_the_same_policy() -> None:
    of = judged()
    same = appraise(of.rescored(of.probability, POLICY), [28, 35], POLICY)
    assert repr(same) == repr(appraise(of, [28, 35], POLICY))  # a share of nothing equals nothing


def test_plain_says_all_of_it() -> None:
    plain = appraise(judged(), [28, 35], POLICY).plain()
    assert {"average_precision", "recall_at_rate", "approve_error", "money", "weeks", "curves"} <= set(plain)
    assert {"saved_minor", "best_constant", "saved_on_constant_minor"} <= set(plain["money"]["EUR"])
    assert len(plain["weeks"]) == 2
