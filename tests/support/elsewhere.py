"""Data that nobody had in mind, and what models are worth on it: our own simulator, and another logic."""

from collections import deque
from collections.abc import Sequence
from itertools import islice

from support.sparkov import Sparkov

from bench.histories import Silent, more_fraud
from models.classifier import Classifier
from models.evaluation import average_precision
from models.features import LABEL_DELAY
from models.simulator.policy import TrafficPolicy
from models.simulator.traffic import traffic
from models.warm_up import Payment, WarmUp
from streams.operating.warming import payment_of

DAY = 86_400


def another_generator(*, seed: int = 1, customers: int = 420, days: int = 60) -> list[Payment]:
    return Sparkov(seed=seed, customers=customers, days=days).payments()


def own_simulator(*, seed: int = 1, payments: int = 50_000) -> list[Payment]:
    """With four times the usual fraud."""
    policy = TrafficPolicy(seed=seed, cards=600, merchants=300, currencies=("EUR",), fraud=more_fraud(4))
    return [payment_of(each) for each in islice(traffic(policy), payments)]


def precisions(payments: list[Payment], models: Sequence[Classifier], *, test_days: int) -> list[float]:
    """Average precision of each on the last days, each payment scored before its label is learnt."""
    lived = WarmUp(model=Silent())
    tested_from = payments[-1].at - test_days * DAY
    waiting: deque[tuple[float, list[float], bool]] = deque()
    told: list[list[float]] = [[] for _ in models]
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
    return [average_precision(truth, scores) for scores in told]
