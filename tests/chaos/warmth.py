"""A model for an estate to begin with: without one rules would decide all of it."""

from functools import cache

from models.simulator.policy import TrafficPolicy
from models.warm_up import WarmUp
from streams.operating.warming import learnt_from_simulation

PAYMENTS = 6_000


@cache
def warm_up() -> WarmUp:
    """The same each time. Its acceptors are none of a run's, and its cards paid so long ago that lanes forget them."""
    return learnt_from_simulation(TrafficPolicy(seed=99, cards=500), PAYMENTS)
