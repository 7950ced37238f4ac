"""Attacks on a learner by what it is told: it is spoilt little or not at all, goes back where it must, and says so."""

import math
from functools import cache
from random import Random

import numpy as np
import pytest
from support.shop import A_DAY, BIG_SHOP, LABEL_DAYS, TRUE_FRAUD, History, Said, Shop, decision, history

from models.evaluation import average_precision
from models.family import Family
from models.features import FEATURES
from models.label import LabelSource
from models.linear import LinearScorer

pytestmark = [pytest.mark.quality, pytest.mark.timeout(600)]

DAYS = 34
SAID_ON = range(20, 27)  # days
ATTACKED = range((SAID_ON.start - LABEL_DAYS) * A_DAY, (SAID_ON.stop - LABEL_DAYS) * A_DAY)  # payments
JUDGED_FROM = 22 * A_DAY
LOST_AT_MOST = {Family.LOGISTIC: 0.02, Family.BLEND: 0.06}  # of average precision; a blend has more to lose to labels

every_family = pytest.mark.parametrize("family", [Family.LOGISTIC, Family.BLEND])


def lived(shop: Shop, what: History | None = None) -> Shop:
    shop.live(what or history(DAYS))
    numbers = [number for each in shop.study.learner.model.snapshot().columns for number in (each.weight, each.mean)]
    assert all(map(math.isfinite, numbers))
    return shop


def precision(shop: Shop, begin: int = JUDGED_FROM) -> float:
    truth = history(DAYS).is_fraud[begin:]
    return average_precision(truth, np.array(shop.told[begin:]))


@cache
def undisturbed(family: Family) -> Shop:
    return lived(Shop(family=family))


@cache
def as_it_was(family: Family) -> float:
    """Of the model that decided when the attack began, on the payments that are judged."""
    shop = Shop(family=family)
    whole = history(DAYS)
    until = SAID_ON.start * A_DAY
    shop.live(History(whole.decisions[:until], whole.rows[:until], whole.is_fraud[:until]))
    assert shop.champion is not None
    told = LinearScorer(shop.champion).score(whole.rows[JUDGED_FROM:]).probabilities
    return average_precision(whole.is_fraud[JUDGED_FROM:], told)


@every_family
def test_undisturbed_it_is_worth_having_and_nothing_is_said(family: Family) -> None:
    shop = undisturbed(family)
    assert precision(shop) > 0.3
    assert (shop.went_back, shop.silenced, shop.refused) == ([], set(), 0)


@every_family
def test_one_label_in_a_hundred_that_is_wrong_costs_little(family: Family) -> None:
    chance = Random(1)

    def says(number: int, is_fraud: bool) -> list[Said]:
        return [TRUE_FRAUD] if is_fraud != (number in ATTACKED and chance.random() < 0.01) else []

    assert precision(lived(Shop(says=says, family=family))) >= as_it_was(family) - LOST_AT_MOST[family]


def test_a_burst_of_false_reports_of_one_shop_is_silenced() -> None:
    """All that one shop took in within a week, at once: far more than it would be by life."""
    burst = [(number, TRUE_FRAUD) for number in ATTACKED if number % BIG_SHOP == 0]
    shop = lived(Shop(at_once={SAID_ON.start * A_DAY: burst}))
    assert len(burst) > 1_000
    assert (LabelSource.CHARGEBACK, "big") in shop.silenced
    assert precision(shop) >= as_it_was(Family.LOGISTIC) - LOST_AT_MOST[Family.LOGISTIC]


@every_family
def test_a_source_gone_mad_is_silenced_and_what_it_taught_is_given_up(family: Family) -> None:
    chance = Random(2)

    def says(number: int, is_fraud: bool) -> list[Said]:
        mad = number in ATTACKED and chance.random() < 0.2
        return [TRUE_FRAUD] if is_fraud or mad else []

    shop = lived(Shop(says=says, family=family))
    assert (LabelSource.CHARGEBACK, None) in shop.silenced
    assert [each for each in shop.went_back if "chargeback" in each] != []
    assert precision(shop) >= as_it_was(family) - LOST_AT_MOST[family]


@pytest.mark.parametrize("value", [1e300, math.inf])
def test_features_beyond_all_bounds_cost_little(value: float) -> None:
    whole = history(DAYS)
    rows, decisions = whole.rows, list(whole.decisions)
    chance = Random(3)
    for number in chance.sample(ATTACKED, len(ATTACKED) // 100):
        spoilt = rows[number].copy()
        spoilt[chance.randrange(len(FEATURES))] = value
        decisions[number] = decision(number, spoilt.tolist())
    spoilt_shop = lived(Shop(), History(decisions, rows, whole.is_fraud))
    assert precision(spoilt_shop) >= as_it_was(Family.LOGISTIC) - LOST_AT_MOST[Family.LOGISTIC]
