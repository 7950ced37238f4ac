"""Simulated payments of some days, with what they are, and a model that leaves them as they came."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import takewhile

from models.online import OnlineModel
from models.simulator.policy import FraudShares, TrafficPolicy
from models.simulator.traffic import traffic
from models.warm_up import Payment
from streams.operating.warming import payment_of

DAY = 86_400.0


class Silent(OnlineModel):
    """Learns nothing: features depend on labels, not on what a model makes of them."""

    def learn(self, features: Sequence[float], *, is_fraud: bool) -> None:
        """Nothing."""


def more_fraud(times: int) -> FraudShares:
    """So many times the usual share of each kind: a model of few cards needs some to learn from."""
    return FraudShares(**{kind: times * share for kind, share in asdict(FraudShares()).items()})


def simulated(policy: TrafficPolicy, *, days: float) -> list[Payment]:
    """Payments of so many days."""
    made = map(payment_of, traffic(policy))
    first = next(made)
    return [first, *takewhile(lambda each: each.at < first.at + days * DAY, made)]
