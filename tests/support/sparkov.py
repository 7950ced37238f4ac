"""A second generator of labelled payments, after the logic of Sparkov Data Generation (B. Harris), written anew.

Customers have a profile of age, gender and home: how often they pay, on which days, in which season, at which hours,
for which categories, and gamma-distributed amounts for each. They buy near home, or online anywhere. A defrauded one is
abused for a few days on end, at night, in other categories and for other amounts. No product code knows of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import dist, exp, prod
from random import Random

from models.warm_up import Payment

BEGIN = 1_577_836_800  # 2020-01-01 UTC
DAY = 86_400
NIGHT = (22, 23, 0, 1, 2, 3)  # hours
ONLINE = ("grocery_net", "misc_net", "shopping_net")
#                  weight, mean amount, its standard deviation; honest use of an average adult
HABITS = {
    "gas_transport": (13.0, 64.0, 16.0),
    "grocery_pos": (12.0, 116.0, 52.0),
    "grocery_net": (4.5, 54.0, 23.0),
    "food_dining": (9.0, 51.0, 48.0),
    "home": (12.0, 58.0, 48.0),
    "kids_pets": (11.0, 57.0, 48.0),
    "shopping_net": (9.0, 80.0, 220.0),
    "shopping_pos": (11.0, 75.0, 215.0),
    "misc_net": (6.0, 78.0, 160.0),
    "misc_pos": (8.0, 62.0, 130.0),
    "entertainment": (9.0, 64.0, 64.0),
    "personal_care": (9.0, 48.0, 49.0),
    "health_fitness": (8.5, 54.0, 48.0),
    "travel": (4.0, 110.0, 590.0),
}
ABUSE = {
    "shopping_net": (24.0, 1_000.0, 90.0),
    "misc_net": (14.0, 800.0, 60.0),
    "grocery_pos": (24.0, 312.0, 25.0),
    "shopping_pos": (12.0, 880.0, 80.0),
    "entertainment": (5.0, 500.0, 70.0),
    "gas_transport": (9.0, 12.0, 3.0),
    "misc_pos": (4.0, 220.0, 60.0),
    "personal_care": (4.0, 26.0, 8.0),
    "home": (4.0, 255.0, 40.0),
}
AGES = {  # payments a day, from and to; share of them in the evening; factor on some categories
    "young": (0.8, 2.2, 0.65, {"entertainment": 1.7, "food_dining": 1.5, "home": 0.5, "kids_pets": 0.4}),
    "adult": (1.2, 3.4, 0.5, {}),
    "old": (0.7, 2.0, 0.3, {"health_fitness": 1.6, "travel": 1.4, "shopping_net": 0.5}),
}
GENDERS = {"female": {"personal_care": 1.5, "kids_pets": 1.3}, "male": {"gas_transport": 1.3, "misc_pos": 1.2}}
HOMES = {"urban": {"gas_transport": 0.8, "food_dining": 1.3}, "rural": {"gas_transport": 1.6, "travel": 0.7}}
WEEKDAYS = (1.35, 0.75, 0.75, 0.8, 0.9, 1.15, 1.3)  # from Monday
SEASONS = (0.85, 0.85, 0.95, 1.0, 1.0, 1.1, 1.1, 1.05, 0.95, 0.95, 1.1, 1.6)  # from January
MERCHANTS_EACH, NEAR = 60, 8  # in each category; where somebody goes who shops near home


Habits = dict[str, tuple[float, float, float]]
Made = tuple[float, str, str, int, bool]  # at, card, merchant, amount, is it fraud


@dataclass(frozen=True, kw_only=True)
class Sparkov:
    """What to make: `abused_share` of the customers are defrauded in each thirty days."""

    seed: int = 1
    customers: int = 500
    days: int = 60
    abused_share: float = 0.055

    def payments(self) -> list[Payment]:
        """All payments in the order of time; the same policy makes the same."""
        chance = Random(f"{self.seed} places")
        places = {each: [(chance.random(), chance.random()) for _ in range(MERCHANTS_EACH)] for each in HABITS}
        made = sorted(each for number in range(self.customers) for each in _Customer(self, number, places).life())
        return [
            Payment(BEGIN + at, f"s-{self.seed}-{number}", card, merchant, amount, "USD", is_fraud)
            for number, (at, card, merchant, amount, is_fraud) in enumerate(made)
        ]


class _Customer:
    def __init__(self, policy: Sparkov, number: int, places: dict[str, list[tuple[float, float]]]) -> None:
        self._policy = policy
        self._card = f"c-{number}"
        self._chance = chance = Random(f"{policy.seed} customer {number}")
        least, most, self._evening, by_age = AGES[chance.choice(list(AGES))]
        self._daily = chance.uniform(least, most)
        factors = (by_age, GENDERS[chance.choice(list(GENDERS))], HOMES[chance.choice(list(HOMES))])
        self._honest = {
            name: (weight * prod(each.get(name, 1.0) for each in factors), mean, deviation)
            for name, (weight, mean, deviation) in HABITS.items()
        }
        self._spending = chance.gammavariate(12.0, 1 / 12.0)
        home = chance.random(), chance.random()
        self._near = {
            name: sorted(range(MERCHANTS_EACH), key=lambda each: dist(home, places[name][each]))[:NEAR]
            for name in HABITS
        }

    def life(self) -> Iterator[Made]:
        abused = self._abused_days()
        for day in range(self._policy.days):
            if day in abused:  # the holder's own payments of such days are left out, as there
                yield from self._day(day, self._chance.randint(3, 6), ABUSE, is_fraud=True)
            else:
                mean = (
                    self._daily * WEEKDAYS[(day + 2) % 7] * SEASONS[day % 365 * 12 // 365]
                )  # it begins on a Wednesday
                yield from self._day(day, self._poisson(mean), self._honest, is_fraud=False)

    def _abused_days(self) -> set[int]:
        days: set[int] = set()
        for begin in range(0, self._policy.days, 30):
            if self._chance.random() < self._policy.abused_share:
                first = begin + self._chance.randrange(30)
                days |= set(range(first, first + self._chance.randint(1, 3)))
        return days

    def _day(self, day: int, count: int, habits: Habits, *, is_fraud: bool) -> Iterator[Made]:
        chance = self._chance
        for category in chance.choices(list(habits), [weight for weight, _, _ in habits.values()], k=count):
            _, mean, deviation = habits[category]
            amount = chance.gammavariate((mean / deviation) ** 2, deviation**2 / mean)
            if not is_fraud:
                amount *= self._spending
            anywhere = is_fraud or category in ONLINE
            merchant = chance.randrange(MERCHANTS_EACH) if anywhere else chance.choice(self._near[category])
            at = float(day * DAY + self._second(is_fraud=is_fraud))
            yield at, self._card, f"{category}-{merchant}", max(100, round(amount * 100)), is_fraud

    def _second(self, *, is_fraud: bool) -> int:
        chance = self._chance
        if is_fraud and chance.random() < 0.85:
            hour = chance.choice(NIGHT)
        else:
            hour = chance.randrange(12) + 12 * (chance.random() < self._evening)
        return hour * 3_600 + chance.randrange(3_600)

    def _poisson(self, mean: float) -> int:
        """Knuth's way: how many uniform numbers until their product is below exp(-mean)."""
        count, product, end = 0, self._chance.random(), exp(-mean)
        while product > end:
            count += 1
            product *= self._chance.random()
        return count
