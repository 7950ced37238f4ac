"""The state of a run: who holds which card now, and what thieves know."""

from collections import deque
from dataclasses import dataclass, field
from random import Random

from models.simulator.agenda import Agenda
from models.simulator.chance import pick, seeded
from models.simulator.policy import TrafficPolicy
from models.simulator.population import Card, Market, Merchant, Population
from models.simulator.rhythm import DAY, HOUR

REMEMBERED = 64  # stolen cards that one thief keeps


@dataclass(slots=True)
class World:
    """Everything that changes while traffic is made. Holders and thieves draw apart, so neither disturbs the other."""

    policy: TrafficPolicy
    market: Market
    cards: list[Card]
    monday: float  # seconds from the Monday 00:00 UTC before the start, to the start
    holders: Random
    thieves: Random
    agenda: Agenda = field(default_factory=Agenda)
    tested: deque[Card] = field(default_factory=lambda: deque(maxlen=REMEMBERED))  # cards that thieves found to work
    skimmed: dict[str, deque[Card]] = field(default_factory=dict)  # cards seen at a compromised terminal or shop

    @classmethod
    def of(cls, policy: TrafficPolicy, population: Population) -> "World":
        """The world before its first payment."""
        midnight = policy.start.replace(hour=0, minute=0, second=0, microsecond=0)
        return cls(
            policy=policy,
            market=population.market,
            cards=list(population.cards),
            monday=policy.start.weekday() * DAY + (policy.start - midnight).total_seconds(),
            holders=seeded(policy.seed << 2 | 1),
            thieves=seeded(policy.seed << 2 | 2),
        )

    def local(self, at: float, hours_from_utc: float) -> float:
        """Local time in seconds since a Monday 00:00, `at` seconds after the start."""
        return at + self.monday + hours_from_utc * HOUR

    def is_open(self, merchant: Merchant, at: float) -> bool:
        """Whether the merchant sells then."""
        return merchant.online or merchant.is_open(self.local(at, merchant.country.hours_from_utc))

    def victim(self) -> Card:
        """Any card, for a thief."""
        return pick(self.thieves, self.cards)
