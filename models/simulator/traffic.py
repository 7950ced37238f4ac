"""The traffic: honest holders and thieves side by side, in the order of time, without end."""

from collections.abc import Iterator

from models.simulator.crime import CAMPAIGNS
from models.simulator.holder import Holder, instalments
from models.simulator.payment import Acquirer, Payment
from models.simulator.policy import SimulatedTransaction, TrafficPolicy
from models.simulator.population import Population, populate
from models.simulator.rhythm import DAY
from models.simulator.world import World

INSTALMENTS_PER_DAY = 1.0 / 30.4


def traffic(policy: TrafficPolicy, population: Population | None = None) -> Iterator[SimulatedTransaction]:
    """Transactions in the order of their event times, without end, in memory that does not grow.

    The same policy makes the same stream on every machine and Python. `population` spares making it again; it must be
    the policy's own.
    """
    population = population or populate(policy)
    world, acquirer = World.of(policy, population), Acquirer(policy)
    _plan(world, population)
    for at, payment in world.agenda.steps():
        if payment is None or at < 0.0:
            continue
        rng = world.holders if payment.fraud_type is None else world.thieves
        transaction = acquirer.transaction(rng, at, payment)
        _skim(world, payment, transaction.acceptor)
        yield SimulatedTransaction(transaction, payment.fraud_type)


def honest_per_day(population: Population) -> float:
    """How many transactions the holders make on an average day of the year."""
    instalments_per_day = sum(len(card.subscriptions) for card in population.cards) * INSTALMENTS_PER_DAY
    return sum(card.purchases_per_day for card in population.cards) + instalments_per_day


def _plan(world: World, population: Population) -> None:
    shares = world.policy.fraud
    per_second = honest_per_day(population) / (1.0 - shares.total) / DAY
    for campaign in CAMPAIGNS:
        if shares.of(campaign.fraud):
            world.agenda.add(campaign.waves(world, shares.of(campaign.fraud) * per_second))
    for number, card in enumerate(population.cards):
        world.agenda.add(Holder(world, number).purchases())
        for subscription in card.subscriptions:
            world.agenda.add(instalments(world, number, subscription))


def _skim(world: World, payment: Payment, acceptor: str) -> None:
    """What thieves who sit on a terminal or in a shop see of it."""
    seen = world.skimmed.get(acceptor)
    if seen is not None and payment.fraud_type is None:
        seen.append(payment.card)
