"""What a review is taken to cost, as reviewers' time is short or not: the shadow price of their capacity. Pure.

The price of a constraint on capacity rises while more is asked for than there is, and falls while there is room
(Boyd and Vandenberghe, "Convex optimization", section 5.6). By it the cheapest outcome of the cost policy is a review
for fewer payments, those with least at stake first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf
from typing import Annotated

from msgspec import Meta

Minutes = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(gt=0, le=1)]


class PriceReason(StrEnum):
    """Why the price moved."""

    SHORT = "SHORT"  # cases would wait too long
    ROOM = "ROOM"  # reviewers have time for more
    BEGUN = "BEGUN"  # a console that knew of none says what it is
    BOUNDS = "BOUNDS"  # it lay outside the bounds that settings have now


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityPolicy:
    """Within what bounds the price moves, when, and how far. Raises ValueError where shares leave no room between them.

    The lower bound is what a review costs by the cost policy.
    """

    most_review_minor: Annotated[int, Meta(ge=0)] = 0  # the upper bound, minor units; 0: the price stays as it is
    rise_from_share: Share = 0.5  # of the time until cases are due: a longer expected wait, and the price rises
    fall_to_share: Share = 0.2  # a shorter one, and it falls; in between it stays
    step: Annotated[float, Meta(gt=0, le=4)] = 0.5  # a move's share of the price
    dwell_minutes: Minutes = 10.0  # between two moves
    window_minutes: Minutes = 30.0  # that inflow and verdicts are counted over

    def __post_init__(self) -> None:
        if not self.fall_to_share < self.rise_from_share:
            raise ValueError("fall_to_share must be below rise_from_share, or the price goes up and down by turns")

    def within(self, price_minor: int, review_minor: int) -> int:
        """The price within the bounds, of which the lower is `review_minor`."""
        return min(max(price_minor, review_minor), max(self.most_review_minor, review_minor))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLoad:
    """How it stands with reviews, as counted over a window of time."""

    waiting: int  # cases that are not closed
    arrived: int  # cases opened in the window
    handled: int  # verdicts given in it
    window_seconds: float
    due_seconds: float  # how long cases have until they are due

    @property
    def expected_wait(self) -> float:
        """Seconds that a case would wait which comes a window from now, if all goes on as it did."""
        ahead = max(0, self.waiting + self.arrived - self.handled)
        if not ahead:
            return 0.0
        return inf if not self.handled else ahead * self.window_seconds / self.handled


def load_of(
    waiting: Iterable[tuple[int, float]], arrived: int, handled: int, window_seconds: float, due_seconds: float
) -> ReviewLoad:
    """The load of queues, each with cases not closed and seconds that they have; `due_seconds` where there are none."""
    queues = [(count, due) for count, due in waiting if count]
    total = sum(count for count, _ in queues)
    due = sum(count * each for count, each in queues) / total if total else due_seconds
    return ReviewLoad(waiting=total, arrived=arrived, handled=handled, window_seconds=window_seconds, due_seconds=due)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPrice:
    """What a review is taken to cost now, minor units, and when that was last changed; None: never."""

    minor: int
    moved_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceMove:
    """From what price to what, why, and how it stood then."""

    before_minor: int
    after_minor: int
    reason: PriceReason
    load: ReviewLoad
    at: datetime

    @property
    def price(self) -> ReviewPrice:
        """What it is after the move."""
        return ReviewPrice(minor=self.after_minor, moved_at=self.at)


def move_of(
    policy: CapacityPolicy, review_minor: int, price: ReviewPrice, load: ReviewLoad, now: datetime
) -> PriceMove | None:
    """The next move, if it is time for one; `review_minor` is what a review costs by the cost policy."""
    after, reason = _wanted(policy, review_minor, price.minor, load)
    resting = price.moved_at is not None and now < price.moved_at + timedelta(minutes=policy.dwell_minutes)
    if after == price.minor or (resting and reason is not PriceReason.BOUNDS):
        return None
    return PriceMove(before_minor=price.minor, after_minor=after, reason=reason, load=load, at=now)


def _wanted(policy: CapacityPolicy, review_minor: int, minor: int, load: ReviewLoad) -> tuple[int, PriceReason]:
    if (inside := policy.within(minor, review_minor)) != minor:
        return inside, PriceReason.BOUNDS
    wait = load.expected_wait
    if wait > policy.rise_from_share * load.due_seconds:
        return policy.within(max(minor + 1, round(minor * (1.0 + policy.step))), review_minor), PriceReason.SHORT
    if wait < policy.fall_to_share * load.due_seconds:
        return policy.within(round(minor / (1.0 + policy.step)), review_minor), PriceReason.ROOM
    return minor, PriceReason.ROOM
