"""Simulated traffic that several tests look at, made once."""

from functools import cache
from itertools import islice

from models.simulator.policy import FraudType, SimulatedTransaction, TrafficPolicy
from models.simulator.traffic import traffic
from models.transaction import Transaction

SMALL = TrafficPolicy(seed=5, cards=1_500, merchants=600)


def first(count: int, policy: TrafficPolicy = SMALL) -> tuple[SimulatedTransaction, ...]:
    return tuple(islice(traffic(policy), count))


@cache
def month() -> tuple[SimulatedTransaction, ...]:
    """About 32 days of the small population."""
    return first(150_000)


@cache
def honest() -> tuple[Transaction, ...]:
    return tuple(simulated.transaction for simulated in month() if not simulated.is_fraud)


@cache
def frauds(fraud: FraudType) -> tuple[Transaction, ...]:
    return tuple(simulated.transaction for simulated in month() if simulated.fraud_type is fraud)
