"""Five ways to abuse cards, each as the timeline of one campaign, close enough to honest use to be missed."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from models.simulator.agenda import Timeline
from models.simulator.categories import BIG_TICKETS, EASY_TO_RESELL, TEST_GROUNDS
from models.simulator.chance import exponential, log_normal, pick, whole
from models.simulator.geography import Country
from models.simulator.payment import GUESSER, IMPOSTOR, THIEF, Credentials, Payment
from models.simulator.policy import FraudType
from models.simulator.population import Card, Merchant, internet_address, new_device
from models.simulator.rhythm import DAY, HOUR
from models.simulator.world import REMEMBERED, World
from models.transaction import Channel

MINUTE = 60.0
TRIES = 6  # doors before a thief takes any shop online
ABROAD = 0.3  # share of thefts that are turned into goods in another country
FROM_TESTED = 0.35  # share of sprees with a card that was tested before
AT_THE_SPOT = 0.55  # share of a compromise's payments that run through the compromised terminal or shop
AS_THE_HOLDER = 0.45  # share of an impostor's payments at the holder's own merchants


@dataclass(frozen=True, slots=True)
class Campaign:
    """One kind of crime: how many payments, from fewest to most, and how they come about."""

    fraud: FraudType
    fewest: int
    most: int
    lasts: float  # seconds, hardly ever longer; so much of the past is played before the traffic starts
    plot: Callable[[World, float, int], Timeline]  # from a time on, so many payments

    def waves(self, world: World, payments_per_second: float) -> Timeline:
        """Starts campaigns for ever, at random times, so that their payments come at this rate."""
        mean_gap = (self.fewest + self.most) / 2.0 / payments_per_second
        at = -self.lasts
        while True:
            at += exponential(world.thieves, mean_gap)
            yield at, None
            world.agenda.add(self.plot(world, at, whole(world.thieves, self.fewest, self.most)))


def _card_testing(world: World, at: float, payments: int) -> Timeline:
    rng = world.thieves
    card = world.victim()
    merchant = world.market.find(rng, card.country, pick(rng, TEST_GROUNDS))
    device, address = new_device(rng), internet_address(rng)
    for _ in range(payments):
        amount_minor = _minor(log_normal(rng, 2.5, 0.8), merchant)
        yield at, _online(card, merchant, amount_minor, GUESSER, FraudType.CARD_TESTING, device, address)
        at += exponential(rng, 1.5 * MINUTE)
        if rng.random() < 0.35:
            world.tested.append(card)
            card = world.victim()
            device = new_device(rng)


def _stolen_card_spree(world: World, at: float, payments: int) -> Timeline:
    rng = world.thieves
    tested = bool(world.tested) and rng.random() < FROM_TESTED
    card = world.tested.popleft() if tested else world.victim()
    country = pick(rng, world.policy.countries) if rng.random() < ABROAD else card.country
    device, address = new_device(rng), internet_address(rng)
    euros = log_normal(rng, 22.0, 0.5)
    for _ in range(payments):
        merchant = _open_shop(world, at, card, country, EASY_TO_RESELL)
        amount_minor = _minor(min(euros, 2_500.0), merchant)
        yield at, _anywhere(world, card, merchant, amount_minor, FraudType.STOLEN_CARD_SPREE, device, address)
        euros *= log_normal(rng, 1.4, 0.35)
        at += exponential(rng, 35.0 * MINUTE)


def _merchant_compromise(world: World, at: float, payments: int) -> Timeline:
    """Cards are read at a terminal or shop for as long as the campaign lasts, and used from the second day on."""
    rng = world.thieves
    merchant = world.victim().favourites.draw(rng)
    terminal_id = pick(rng, merchant.terminals) if merchant.terminals else None
    spot = terminal_id or merchant.merchant_id
    seen: deque[Card] = deque(maxlen=REMEMBERED)
    world.skimmed[spot] = seen
    at += DAY
    for _ in range(payments):
        at += exponential(rng, 18.0 * HOUR)
        yield at, _skimmed(world, at, seen, merchant, terminal_id)
    if world.skimmed.get(spot) is seen:
        del world.skimmed[spot]


def _skimmed(world: World, at: float, seen: deque[Card], merchant: Merchant, terminal_id: str | None) -> Payment | None:
    """One payment with a card read at the spot; none while no card was read."""
    rng, fraud = world.thieves, FraudType.MERCHANT_COMPROMISE
    if not seen:
        return None
    card, device, address = pick(rng, seen), new_device(rng), internet_address(rng)
    if rng.random() >= AT_THE_SPOT:
        other = _open_shop(world, at, card, card.country, EASY_TO_RESELL)
        amount_minor = _minor(log_normal(rng, 60.0, 0.8), other)
        return _anywhere(world, card, other, amount_minor, fraud, device, address)
    amount_minor = max(1, round(log_normal(rng, 1.6 * card.usual_minor(merchant), 0.6)))
    return _anywhere(world, card, merchant, amount_minor, fraud, device, address, terminal_id)


def _account_takeover(world: World, at: float, payments: int) -> Timeline:
    rng, fraud = world.thieves, FraudType.ACCOUNT_TAKEOVER
    card = world.victim()
    device, address = new_device(rng), internet_address(rng)
    for _ in range(payments):
        merchant = card.favourites.draw(rng)
        if not merchant.online or rng.random() >= AS_THE_HOLDER:
            merchant = world.market.shop_online(rng, card.country)
        amount_minor = max(1, round(log_normal(rng, 2.2 * card.usual_minor(merchant), 0.7)))
        yield at, _online(card, merchant, amount_minor, IMPOSTOR, fraud, device, address)
        at += exponential(rng, 7.0 * HOUR)


def _odd_big_ticket(world: World, at: float, payments: int) -> Timeline:
    rng = world.thieves
    for _ in range(payments):
        card = world.victim()
        country = pick(rng, world.policy.countries) if rng.random() < ABROAD else card.country
        merchant = _open_shop(world, at, card, country, BIG_TICKETS)
        amount_minor = max(1, round(log_normal(rng, 5.0 * card.usual_minor(merchant), 0.5)))
        device = card.devices.draw(rng) if rng.random() < 0.3 else new_device(rng)
        fraud = FraudType.ODD_BIG_TICKET
        yield at, _anywhere(world, card, merchant, amount_minor, fraud, device, internet_address(rng))


CAMPAIGNS = (
    Campaign(FraudType.CARD_TESTING, 4, 20, HOUR, _card_testing),
    Campaign(FraudType.STOLEN_CARD_SPREE, 3, 9, DAY, _stolen_card_spree),
    Campaign(FraudType.MERCHANT_COMPROMISE, 12, 36, 40.0 * DAY, _merchant_compromise),
    Campaign(FraudType.ACCOUNT_TAKEOVER, 3, 10, 6.0 * DAY, _account_takeover),
    Campaign(FraudType.ODD_BIG_TICKET, 1, 1, 0.0, _odd_big_ticket),
)


def _minor(euros: float, merchant: Merchant) -> int:
    return max(1, round(euros * merchant.country.minor_per_euro))


def _open_shop(world: World, at: float, card: Card, country: Country, mccs: tuple[str, ...]) -> Merchant:
    """A merchant that sells then and is none of the holder's favourites, as far as a few tries find one."""
    for _ in range(TRIES):
        merchant = world.market.find(world.thieves, country, pick(world.thieves, mccs))
        if world.is_open(merchant, at) and not card.goes_to(merchant):
            return merchant
    return world.market.shop_online(world.thieves, country)


def _anywhere(
    world: World,
    card: Card,
    merchant: Merchant,
    amount_minor: int,
    fraud: FraudType,
    device: str,
    address: str,
    terminal_id: str | None = None,
) -> Payment:
    """A thief's payment, in the channel that the merchant sells by."""
    if merchant.online:
        return _online(card, merchant, amount_minor, THIEF, fraud, device, address)
    if not merchant.terminals:
        return Payment(card, merchant, amount_minor, Channel.MOTO, THIEF, fraud_type=fraud)
    till = terminal_id or pick(world.thieves, merchant.terminals)
    return Payment(card, merchant, amount_minor, Channel.CARD_PRESENT, THIEF, till, fraud_type=fraud)


def _online(
    card: Card, merchant: Merchant, amount_minor: int, who: Credentials, fraud: FraudType, device: str, address: str
) -> Payment:
    return Payment(
        card,
        merchant,
        amount_minor,
        Channel.ECOMMERCE,
        who,
        device_id=device,
        address=address,
        fraud_type=fraud,
    )
