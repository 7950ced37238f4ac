"""A model for an estate to begin with, learnt from a little simulated traffic: without one rules would decide."""

from dataclasses import replace
from functools import cache

from models.simulator.policy import TrafficPolicy
from models.simulator.traffic import traffic
from models.warm_up import Payment, WarmUp

PAYMENTS = 6_000


@cache
def warm_up() -> WarmUp:
    """The same each time; three seconds of work."""
    learnt = WarmUp()
    policy = replace(TrafficPolicy(), seed=99, cards=500)
    for simulated, _ in zip(traffic(policy), range(PAYMENTS), strict=False):
        paid = simulated.transaction
        learnt.live(
            Payment(
                at=paid.event_time.timestamp(),
                transaction_id=paid.transaction_id,
                card=paid.pan_token,
                acceptor=paid.acceptor,
                amount_minor=paid.amount_minor,
                currency=paid.currency,
                is_fraud=simulated.is_fraud,
            ),
            score=False,
        )
    learnt.settle()
    return learnt
