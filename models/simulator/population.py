"""Who pays and where: merchants with prices and hours, cards with habits."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp
from random import Random

from models.simulator.categories import MAIL_ORDER, SHOPPING, SUBSCRIPTIONS, Category
from models.simulator.chance import Weighted, exponential, log_normal, normal, pick, seeded, whole
from models.simulator.geography import Country
from models.simulator.policy import TrafficPolicy
from models.simulator.rhythm import EARLY_BIRD, EVENING, NIGHT_OWL, OFFICE, Rhythm

RHYTHMS = Weighted.of(((EARLY_BIRD, 0.22), (OFFICE, 0.36), (EVENING, 0.3), (NIGHT_OWL, 0.12)))
FAVOURITES = Weighted.of(((1, 0.5), (2, 0.35), (3, 0.15)))  # merchants a card keeps going to, per category
SUBSCRIBED = Weighted.of(((0, 0.25), (1, 0.35), (2, 0.25), (3, 0.15)))
LOYALTY_FALL = 1.2  # Zipf exponent over the favourites of one category
POPULARITY_FALL = 0.8  # Zipf exponent over the merchants of one category and country
SPREAD_OF_RATES = 0.6
SHOPPING_MCCS = frozenset(category.mcc for category in SHOPPING)


@dataclass(frozen=True, slots=True)
class Merchant:
    """Somewhere to pay."""

    merchant_id: str
    category: Category
    country: Country
    online: bool
    terminals: tuple[str, ...]  # none online
    price_level: float  # against the category's usual ticket
    acquirer_id: str

    def is_open(self, local: float) -> bool:
        """Whether it sells at this local time, in seconds since a Monday 00:00."""
        hour = local % 86_400.0 / 3_600.0
        return self.online or self.category.opens <= hour < self.category.closes or hour + 24.0 < self.category.closes


@dataclass(frozen=True, slots=True)
class Subscription:
    """The same amount, taken every month without the holder."""

    merchant: Merchant
    amount_minor: int
    first_day: float  # after the start of the traffic


@dataclass(frozen=True, slots=True)
class Card:
    """A card and the habits of its holder."""

    pan_token: str
    country: Country
    rhythm: Rhythm
    purchases_per_day: float
    spending: float  # how dear the holder buys, against the average
    tastes: dict[str, float]  # by mcc: amounts against the average holder of the same spending
    favourites: Weighted[Merchant]
    faithfulness: float  # share of payments that go to favourites
    devices: Weighted[str]
    address: str  # home IP
    subscriptions: tuple[Subscription, ...]

    def goes_to(self, merchant: Merchant) -> bool:
        """Whether the merchant is one of the favourites."""
        return any(favourite is merchant for favourite in self.favourites.things)

    def usual_minor(self, merchant: Merchant) -> float:
        """The median of what this card pays there, in minor units of the merchant's currency."""
        category = merchant.category
        euros = category.euros * merchant.price_level * self.spending * self.tastes.get(category.mcc, 1.0)
        return euros * merchant.country.minor_per_euro


class Market:
    """All merchants, found by country and category, the popular ones first."""

    def __init__(self, merchants: tuple[Merchant, ...]) -> None:
        shelves: dict[tuple[str, str], list[Merchant]] = {}
        for merchant in merchants:
            shelves.setdefault((merchant.country.code, merchant.category.mcc), []).append(merchant)
        self.merchants = merchants
        self._shelves = {place: _by_popularity(shelf) for place, shelf in shelves.items()}
        self._categories = Weighted.of((category, category.visits) for category in SHOPPING)
        self._online = {
            country: _by_visits(merchants, country) for country in dict.fromkeys(code for code, _ in shelves)
        }

    def find(self, rng: Random, country: Country, mcc: str) -> Merchant:
        """A merchant of this category in this country; there always is one."""
        return self._shelves[country.code, mcc].draw(rng)

    def stumble(self, rng: Random, country: Country) -> Merchant:
        """A merchant of any category in this country, as people come across them."""
        return self.find(rng, country, self._categories.draw(rng).mcc)

    def shop_online(self, rng: Random, country: Country) -> Merchant:
        """A merchant of this country that sells online."""
        return self._online[country.code].draw(rng)


@dataclass(frozen=True, slots=True)
class Population:
    """Everybody at the start of the traffic."""

    cards: tuple[Card, ...]
    market: Market


def populate(policy: TrafficPolicy) -> Population:
    """The population that this policy describes, always the same one."""
    rng = seeded(policy.seed << 2)
    market = Market(tuple(_merchants(policy, rng)))
    homes = Weighted.of((country, country.people) for country in policy.countries)
    cards = (issue(policy, rng, market, homes.draw(rng), f"{number}") for number in range(policy.cards))
    return Population(tuple(cards), market)


def issue(policy: TrafficPolicy, rng: Random, market: Market, country: Country, name: str) -> Card:
    """A card with habits drawn afresh; its token and devices are called after `name`."""
    tastes = {category.mcc: log_normal(rng, 1.0, 0.3) for category in SHOPPING}
    pace = exp(SPREAD_OF_RATES * normal(rng) - SPREAD_OF_RATES**2 / 2.0)  # of mean 1
    spending = log_normal(rng, 1.0, 0.45)
    return Card(
        pan_token=f"tok_{policy.seed}c{name}",
        country=country,
        rhythm=RHYTHMS.draw(rng),
        purchases_per_day=policy.purchases_per_card_day * pace,
        spending=spending,
        tastes=tastes,
        favourites=_favourites(rng, market, country),
        faithfulness=0.7 + 0.28 * rng.random(),
        devices=Weighted.of(((f"dev_{policy.seed}c{name}a", 0.85), (f"dev_{policy.seed}c{name}b", 0.15))),
        address=internet_address(rng),
        subscriptions=tuple(_subscriptions(rng, market, country, spending)),
    )


def internet_address(rng: Random) -> str:
    """An address from the ranges kept for documentation (RFC 5737, RFC 3849)."""
    if rng.random() < 0.3:
        return f"{pick(rng, ('192.0.2', '198.51.100', '203.0.113'))}.{whole(rng, 1, 254)}"
    return f"2001:db8:{whole(rng, 0, 0xFFFF):x}:{whole(rng, 0, 0xFFFF):x}::{whole(rng, 1, 0xFF):x}"


def new_device(rng: Random) -> str:
    """A device never seen before."""
    return f"dev_x{whole(rng, 0, 0xFFFF):04x}y{whole(rng, 0, 0xFFFF):04x}z{whole(rng, 0, 0xFFFF):04x}"


def _by_popularity(shelf: list[Merchant]) -> Weighted[Merchant]:
    return Weighted.of((merchant, rank**-POPULARITY_FALL) for rank, merchant in enumerate(shelf, start=1))


def _by_visits(merchants: tuple[Merchant, ...], country: str) -> Weighted[Merchant]:
    shops = (shop for shop in merchants if shop.online and shop.country.code == country)
    return Weighted.of((shop, shop.category.visits) for shop in shops if shop.category.mcc in SHOPPING_MCCS)


def _merchants(policy: TrafficPolicy, rng: Random) -> Iterator[Merchant]:
    everywhere = [(country, category) for country in policy.countries for category in SHOPPING + SUBSCRIPTIONS]
    busy = Weighted.of((place, place[0].people * place[1].visits ** 0.5) for place in everywhere)
    for number in range(policy.merchants):
        country, category = everywhere[number] if number < len(everywhere) else busy.draw(rng)
        yield _merchant(policy, rng, number, country, category)


def _merchant(policy: TrafficPolicy, rng: Random, number: int, country: Country, category: Category) -> Merchant:
    online = rng.random() < category.online
    by_post = category.mcc == MAIL_ORDER
    tills = 0 if online or by_post else 1 + int(exponential(rng, 1.2))
    return Merchant(
        merchant_id=f"mer_{policy.seed}m{number}",
        category=category,
        country=country,
        online=online,
        terminals=tuple(f"ter_{policy.seed}m{number}t{till}" for till in range(tills)),
        price_level=log_normal(rng, 1.0, 0.3),
        acquirer_id=f"4{whole(rng, 10, 29):05d}",
    )


def _favourites(rng: Random, market: Market, country: Country) -> Weighted[Merchant]:
    online_taste = log_normal(rng, 1.0, 0.6)
    weights: dict[str, tuple[Merchant, float]] = {}
    for category in SHOPPING:
        wanted = category.visits * log_normal(rng, 1.0, 0.5)
        for rank in range(1, FAVOURITES.draw(rng) + 1):
            merchant = market.find(rng, country, category.mcc)
            weight = wanted * rank**-LOYALTY_FALL * (online_taste if merchant.online else 1.0)
            weights[merchant.merchant_id] = merchant, weight
    return Weighted.of(weights.values())


def _subscriptions(rng: Random, market: Market, country: Country, spending: float) -> Iterator[Subscription]:
    for _ in range(SUBSCRIBED.draw(rng)):
        merchant = market.find(rng, country, pick(rng, SUBSCRIPTIONS).mcc)
        euros = log_normal(rng, merchant.category.euros * merchant.price_level * spending**0.5, merchant.category.sigma)
        amount_minor = max(1, round(euros * country.minor_per_euro))
        yield Subscription(merchant, amount_minor, first_day=30.0 * rng.random())
