"""The honest holder: goes to favourites, travels, changes phones, now and then does what a thief would do."""

from dataclasses import replace
from math import inf

from models.simulator.agenda import Timeline
from models.simulator.categories import GAMES, SHOPPING
from models.simulator.chance import exponential, log_normal, pick
from models.simulator.geography import Country
from models.simulator.payment import HOLDER, Payment
from models.simulator.population import Card, Merchant, Subscription, internet_address, issue, new_device
from models.simulator.rhythm import DAY, WEEK
from models.simulator.world import World
from models.transaction import Channel

GOES_ON = 0.22  # share of payments soon followed by another
PLAYS_ON = 0.6  # the same while playing
ERRAND_SECONDS = 25.0 * 60.0  # mean time to the next payment of one errand
ROUND_SECONDS = 3.0 * 60.0  # the same in a game
PLAYERS = next(category.visits for category in SHOPPING if category.mcc == GAMES) / sum(c.visits for c in SHOPPING)
PURCHASES_PER_ERRAND = (1.0 - PLAYERS + PLAYERS / (1.0 - PLAYS_ON)) / (1.0 - GOES_ON * (1.0 - PLAYERS))
STEADINESS = 0.7  # spread of one card's tickets against that of all cards
TREAT = 0.006  # share of payments far above the habit
NEW_DEVICE = 0.01  # share of online payments from a device never seen again
NO_DEVICE = 0.08  # share of online payments that name no device
AWAY_FROM_HOME = 0.2  # share of online payments from an address never seen again
TRIP_DAYS = 5.0
MONTH = 30.4 * DAY
REISSUED = 0.5  # share of changed habits that come with a new card
TRIES = 4  # closed doors before a holder buys online


class Holder:
    """One holder's life, as far as the card sees it."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._rng = world.holders
        self._number = number
        self._changes = 0
        self._here: Country = self._card.country
        self._turns_at = self._next_trip(0.0)  # leaves or comes home then
        self._changes_at = self._next_change(0.0)
        self._again: Merchant | None = None

    @property
    def _card(self) -> Card:
        return self._world.cards[self._number]

    def purchases(self) -> Timeline:
        """What the holder buys, for ever."""
        at = self._later(0.0)
        while True:
            self._live_until(at)
            merchant = self._again or self._choose(at)
            yield at, self._buy(merchant)
            at = self._next(at, merchant)

    def _next(self, at: float, merchant: Merchant) -> float:
        playing = merchant.category.mcc == GAMES
        if self._rng.random() >= (PLAYS_ON if playing else GOES_ON):
            self._again = None
            return self._later(at)
        self._again = merchant if playing else None
        return at + exponential(self._rng, ROUND_SECONDS if playing else ERRAND_SECONDS)

    def _later(self, at: float) -> float:
        """The next errand, at the hours that the holder keeps; as many a day as the card's pace says."""
        card = self._card
        days = exponential(self._rng, PURCHASES_PER_ERRAND / card.purchases_per_day)
        local = self._world.local(at, self._here.hours_from_utc)
        return at + (card.rhythm.later(local, days * DAY / WEEK) - local)

    def _live_until(self, at: float) -> None:
        if at >= self._changes_at:
            self._change(at)
        if at >= self._turns_at:
            self._turn(at)

    def _turn(self, at: float) -> None:
        home = self._card.country
        if self._here is home:
            self._here = pick(self._rng, self._world.policy.countries)
            self._turns_at = at + log_normal(self._rng, TRIP_DAYS, 0.6) * DAY
        else:
            self._here = home
            self._turns_at = self._next_trip(at)

    def _next_trip(self, at: float) -> float:
        trips_a_day = self._world.policy.trips_per_card_year / 365.0
        return at + exponential(self._rng, 1.0 / trips_a_day) * DAY if trips_a_day else inf

    def _change(self, at: float) -> None:
        """New habits; with some, a new card."""
        old, world = self._card, self._world
        self._changes += 1
        name = f"{self._number}r{self._changes}"
        new = issue(world.policy, self._rng, world.market, old.country, name)
        world.cards[self._number] = new if self._rng.random() < REISSUED else replace(new, pan_token=old.pan_token)
        self._changes_at = self._next_change(at)

    def _next_change(self, at: float) -> float:
        drift = self._world.policy.drift_per_day
        return at + exponential(self._rng, 1.0 / drift) * DAY if drift else inf

    def _choose(self, at: float) -> Merchant:
        for _ in range(TRIES):
            merchant = self._fancy()
            if self._world.is_open(merchant, at):
                return merchant
        return self._world.market.shop_online(self._rng, self._card.country)

    def _fancy(self) -> Merchant:
        card, market = self._card, self._world.market
        if self._rng.random() >= card.faithfulness:
            return market.stumble(self._rng, self._here)
        merchant = card.favourites.draw(self._rng)
        if merchant.online or self._here is card.country:
            return merchant
        return market.find(self._rng, self._here, merchant.category.mcc)

    def _buy(self, merchant: Merchant) -> Payment:
        card, rng = self._card, self._rng
        amount = log_normal(rng, card.usual_minor(merchant), STEADINESS * merchant.category.sigma)
        if rng.random() < TREAT:
            amount *= log_normal(rng, 4.0, 0.5)
        amount_minor = max(1, round(amount))
        if merchant.online:
            device, address = self._online()
            return Payment(card, merchant, amount_minor, Channel.ECOMMERCE, HOLDER, device_id=device, address=address)
        if not merchant.terminals:
            return Payment(card, merchant, amount_minor, Channel.MOTO, HOLDER)
        return Payment(card, merchant, amount_minor, Channel.CARD_PRESENT, HOLDER, pick(rng, merchant.terminals))

    def _online(self) -> tuple[str | None, str]:
        card, rng = self._card, self._rng
        address = internet_address(rng) if rng.random() < AWAY_FROM_HOME else card.address
        mark = rng.random()
        if mark < NEW_DEVICE:
            return new_device(rng), address
        return (None if mark < NEW_DEVICE + NO_DEVICE else card.devices.draw(rng)), address


def instalments(world: World, number: int, subscription: Subscription) -> Timeline:
    """What a subscription takes from the card, for ever."""
    at = subscription.first_day * DAY
    while True:
        card = world.cards[number]
        yield at, Payment(card, subscription.merchant, subscription.amount_minor, Channel.RECURRING, HOLDER)
        at += MONTH
