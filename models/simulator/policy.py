"""What traffic to make, as data, and the record of what was made."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from models.simulator.categories import SHOPPING, SUBSCRIPTIONS
from models.simulator.geography import COUNTRIES, Country
from models.transaction import Transaction


class FraudType(StrEnum):
    """How a card is abused."""

    CARD_TESTING = "card_testing"  # small online amounts in bursts, to see which stolen cards work
    STOLEN_CARD_SPREE = "stolen_card_spree"  # rising amounts at new merchants within hours
    MERCHANT_COMPROMISE = "merchant_compromise"  # cards used at one terminal are abused for weeks
    ACCOUNT_TAKEOVER = "account_takeover"  # the holder's account, from a new device, with other habits
    ODD_BIG_TICKET = "odd_big_ticket"  # one purchase far above the habit


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudShares:
    """The expected share of each fraud type among all transactions."""

    card_testing: float = 0.0018
    stolen_card_spree: float = 0.002
    merchant_compromise: float = 0.0022
    account_takeover: float = 0.0014
    odd_big_ticket: float = 0.0006

    def __post_init__(self) -> None:
        if min(self.of(fraud) for fraud in FraudType) < 0.0 or self.total >= 0.5:
            raise ValueError("fraud shares must not be negative and must sum to less than one half")

    def of(self, fraud: FraudType) -> float:
        """The share of one type."""
        share: float = getattr(self, fraud.value)
        return share

    @property
    def total(self) -> float:
        """The share of fraud among all transactions."""
        return sum(self.of(fraud) for fraud in FraudType)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPolicy:
    """The traffic to make. The same policy makes the same bytes; ValueError if it cannot make any."""

    seed: int = 1  # 0 to 2^32 - 1; part of every id, so that runs with different seeds never share one
    start: datetime = datetime(2025, 1, 6, tzinfo=UTC)
    cards: int = 5_000
    merchants: int = 2_000
    purchases_per_card_day: float = 3.0
    fraud: FraudShares = field(default_factory=FraudShares)
    currencies: tuple[str, ...] = ("EUR", "GBP", "USD", "CHF", "PLN", "JPY")  # only their countries take part
    trips_per_card_year: float = 4.0
    drift_per_day: float = 0.0  # share of the cards whose holder changes habits on a day

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError("seed must be from 0 to 2^32 - 1")
        if self.start.utcoffset() != timedelta(0):
            raise ValueError("start must be an aware time in UTC")
        if self.cards < 1 or self.purchases_per_card_day <= 0.0:
            raise ValueError("there must be cards, and they must pay")
        if min(self.trips_per_card_year, self.drift_per_day) < 0.0:
            raise ValueError("trips and drift must not be negative")
        self._check_places()

    def _check_places(self) -> None:
        unknown = set(self.currencies) - {country.currency for country in COUNTRIES}
        if unknown or not self.currencies:
            raise ValueError(f"currencies nobody here pays in: {', '.join(sorted(unknown)) or 'none given'}")
        least = len(self.countries) * (len(SHOPPING) + len(SUBSCRIPTIONS))
        if self.merchants < least:
            raise ValueError(f"one merchant per country and category needs at least {least} merchants")

    @property
    def countries(self) -> tuple[Country, ...]:
        """The countries that take part."""
        return tuple(country for country in COUNTRIES if country.currency in self.currencies)


@dataclass(frozen=True, slots=True)
class SimulatedTransaction:
    """A transaction with the truth about it, which only the simulator knows."""

    transaction: Transaction
    fraud_type: FraudType | None

    @property
    def is_fraud(self) -> bool:
        """Whether somebody else than the holder pays."""
        return self.fraud_type is not None
