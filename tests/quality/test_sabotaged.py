"""Twenty challengers that somebody sabotaged, in the middle of a shop's life: hardly a payment meets one.

Each is the learner's candidate of its turn, changed by somebody who knows how to make its probes fit again; learner and
labels are sound, and so are the candidates between. Those that are good offline and bad online put their weight on
something that payments of today have, and none whose outcome is known so far.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import cycle

import numpy as np
import pytest
from support.labelled_rows import MOVED
from support.sabotage import probed
from support.shop import A_DAY, A_TURN, LABEL_DAYS, History, Shop, decision, history

from models.features import FEATURES
from models.hinges import Hinges
from models.snapshot import Column, Snapshot

pytestmark = [pytest.mark.quality, pytest.mark.timeout(600)]

Sabotage = Callable[[Snapshot], Snapshot]

BEGINS = 29 * A_DAY  # payments; of these so many are labelled that latest payments are looked at, too
DAYS = 40
NEW = MOVED + 3  # a feature that is at rest until then
HARM = 0.01  # the share of traffic that may meet what is sabotaged


def changed(column: Callable[[int, Column], Column], *, lift: float = 0.0) -> Sabotage:
    def sabotage(sound: Snapshot) -> Snapshot:
        columns = tuple(column(number, each) for number, each in enumerate(sound.columns))
        return probed(replace(sound, columns=columns, scored_intercept=sound.scored_intercept + lift))

    return sabotage


def times(factor: float) -> Sabotage:
    return changed(lambda _, each: replace(each, scored_weight=factor * each.scored_weight))


def lifted(log_odds: float) -> Sabotage:
    return changed(lambda _, each: each, lift=log_odds)


def constant(log_odds: float) -> Sabotage:
    return changed(lambda _, each: replace(each, scored_weight=0.0), lift=log_odds)


def noisy(strength: float) -> Sabotage:
    chance = np.random.default_rng(3)
    noise = chance.normal(0.0, strength, 10_000).tolist()
    return changed(lambda number, each: replace(each, scored_weight=each.scored_weight + noise[number]))


def shuffled(sound: Snapshot) -> Snapshot:
    return probed(replace(sound, columns=sound.columns[5:] + sound.columns[:5]))


def slow(knots: int) -> Sabotage:
    """So many columns that say nothing."""

    def sabotage(sound: Snapshot) -> Snapshot:
        further = tuple(float(number) for number in range(1, knots + 1))
        *knots_before, last = sound.hinges.knots
        hinges = Hinges(names=sound.hinges.names, knots=(*knots_before, (*last, *further)))
        mute = Column(count=1, mean=0.0, variance=1.0, weight=0.0, scored_weight=0.0, gradient_squares=0.0)
        return probed(replace(sound, hinges=hinges, columns=(*sound.columns, *[mute] * knots)))

    return sabotage


def not_a_number(share: float) -> Sabotage:
    return changed(
        lambda number, each: replace(each, scored_weight=float("nan")) if number < share * len(FEATURES) else each
    )


def bad_online(weight: float) -> Sabotage:
    """Nothing that is labelled has the feature, so no outcome speaks against any weight of it."""
    return changed(
        lambda number, each: replace(each, mean=0.0, variance=1.0, scored_weight=weight) if number == NEW else each
    )


SABOTAGED: dict[str, Sabotage] = {
    "bad online: all is fraud": bad_online(20.0),
    "bad online: much is": bad_online(5.0),
    "bad online: some is": bad_online(3.0),
    "inverted": times(-1.0),
    "inverted, weakly": times(-0.3),
    "constant": constant(0.0),
    "constant, and high": constant(4.0),
    "exploded": times(1e3),
    "ten times": times(10.0),
    "beyond all bounds": times(1e300),
    "not a number": not_a_number(1.0),
    "not a number in one place": not_a_number(1 / len(FEATURES)),
    "all is fraud": lifted(12.0),
    "much is fraud": lifted(3.0),
    "nothing is fraud": lifted(-12.0),
    "little is fraud": lifted(-4.0),
    "shuffled": shuffled,
    "noise": noisy(1.0),
    "loud noise": noisy(10.0),
    "slow": slow(20_000),
}


@dataclass(slots=True)
class Sabotages(Shop):
    """A shop whose learner's candidates are changed in every other turn from BEGINS on."""

    left: list[str] = field(default_factory=lambda: list(SABOTAGED))
    spoilt: dict[str, Snapshot] = field(default_factory=dict)
    met: dict[str, int] = field(default_factory=dict)  # payments

    def __post_init__(self) -> None:
        Shop.__post_init__(self)
        sound, turns = self.study.snapshot, cycle((True, False))

        def snapshot() -> Snapshot:
            candidate = sound()
            if len(self.told) < BEGINS or not self.left or not next(turns):
                return candidate
            name = self.left.pop(0)
            self.spoilt[name] = SABOTAGED[name](candidate)
            return self.spoilt[name]

        self.study.snapshot = snapshot

    def _score(self, rows: np.ndarray) -> None:
        Shop._score(self, rows)
        for name, each in self.spoilt.items():
            if each is self.champion:
                self.met[name] = self.met.get(name, 0) + len(rows)


def something_new() -> History:
    """From a day on payments have something that none had before."""
    whole = history(DAYS)
    rows = whole.rows.copy()
    rows[BEGINS - A_DAY :, NEW] = 1.0
    return History([decision(number, row) for number, row in enumerate(rows.tolist())], rows, whole.is_fraud)


def test_what_is_sabotaged_meets_hardly_a_payment_and_the_learner_goes_on() -> None:
    shop = Sabotages()
    shop.live(something_new())
    assert shop.left == []
    assert len(shop.spoilt) == 20
    assert sum(shop.met.values()) < HARM * (DAYS * A_DAY - BEGINS), shop.met
    assert shop.refused == 20, shop.met
    assert shop.champion is not None
    assert shop.champion.labels > BEGINS + 2 * A_TURN - LABEL_DAYS * A_DAY  # it has learnt all the while
