"""Hinges on data that nobody had in mind: our own simulator, and another logic, with few frauds to learn."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import islice

import pytest
from support.sparkov import Sparkov

from models.evaluation import average_precision
from models.features import LABEL_DELAY
from models.online import OnlineModel
from models.simulator.policy import FraudShares, TrafficPolicy
from models.simulator.traffic import traffic
from models.warm_up import Payment, WarmUp
from streams.operating.warming import payment_of

pytestmark = [pytest.mark.quality, pytest.mark.timeout(600)]

DAY = 86_400
MOST_LOST = 0.015  # of average precision


class Straight(OnlineModel):
    """The same without hinges."""

    def _should_bend(self) -> bool:
        return False


class Silent(OnlineModel):
    """Learns nothing: features depend on labels, not on what a model makes of them."""

    def learn(self, features: Sequence[float], *, is_fraud: bool) -> None: ...


def another_generator() -> list[Payment]:
    return Sparkov(seed=1, customers=420).payments()


def own_simulator() -> list[Payment]:
    """With four times the usual fraud: a model of few cards needs some to learn from."""
    fraud = FraudShares(**{kind: 4 * share for kind, share in asdict(FraudShares()).items()})
    policy = TrafficPolicy(seed=1, cards=600, merchants=300, currencies=("EUR",), fraud=fraud)
    return [payment_of(each) for each in islice(traffic(policy), 50_000)]


def precisions(payments: list[Payment], *, test_days: int) -> tuple[float, float]:
    """Average precision on the last days with and without hinges, each payment scored before its label is learnt."""
    lived, models = WarmUp(model=Silent()), (OnlineModel(), Straight())
    tested_from = payments[-1].at - test_days * DAY
    waiting: deque[tuple[float, list[float], bool]] = deque()
    told: tuple[list[float], list[float]] = ([], [])
    for payment in payments:
        while waiting and waiting[0][0] <= payment.at - LABEL_DELAY:
            _, row, is_fraud = waiting.popleft()
            for model in models:
                model.learn(row, is_fraud=is_fraud)
        row = lived.live(payment, score=False).features
        waiting.append((payment.at, row, payment.is_fraud))
        if payment.at >= tested_from:
            for model, scores in zip(models, told, strict=True):
                scores.append(model.score(row))
    truth = [payment.is_fraud for payment in payments if payment.at >= tested_from]
    bent, straight = (average_precision(truth, scores) for scores in told)
    return bent, straight


@pytest.mark.parametrize(
    ("generator", "test_days"),
    [(another_generator, 21), (own_simulator, 10)],
    ids=["another generator", "own simulator"],
)
def test_where_few_frauds_are_known_hinges_cost_next_to_nothing(
    generator: Callable[[], list[Payment]], test_days: int
) -> None:
    bent, straight = precisions(generator(), test_days=test_days)
    assert bent >= straight - MOST_LOST


def test_the_other_generator_repeats_itself_and_no_other_seed() -> None:
    few = Sparkov(seed=4, customers=20, days=20)
    assert few.payments() == few.payments()
    assert few.payments() != Sparkov(seed=5, customers=20, days=20).payments()


def test_the_other_generator_abuses_few_cards_at_night_for_other_amounts() -> None:
    payments = Sparkov(seed=4, customers=300).payments()
    frauds = [each for each in payments if each.is_fraud]
    assert 0.004 < len(frauds) / len(payments) < 0.02
    nightly = [each for each in frauds if each.at % DAY // 3_600 in (22, 23, 0, 1, 2, 3)]
    assert len(nightly) > 0.8 * len(frauds)
    assert [each.at for each in payments] == sorted(each.at for each in payments)
