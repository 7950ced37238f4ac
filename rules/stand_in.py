"""Stand-in limits: how much rules may approve on one card while the model cannot answer."""

from dataclasses import dataclass

LONGEST_WINDOW_HOURS = 23.0  # a card's payments are remembered for 24 hours, and some come late


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInWindow:
    """What may be approved per card in any stretch of `hours`, of payments from `from_minor` on; in minor units.

    Raises ValueError for a negative limit, and for more hours than payments are remembered.
    """

    hours: float
    max_count: int
    max_sum_minor: int
    from_minor: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.hours <= LONGEST_WINDOW_HOURS:
            raise ValueError(f"a stand-in window has above 0 and at most {LONGEST_WINDOW_HOURS:g} hours")
        if min(self.max_count, self.max_sum_minor, self.from_minor) < 0:
            raise ValueError("a stand-in limit cannot be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInUse:
    """What rules have approved in the model's place on a card, as far as it is known when a payment comes."""

    count: int = 0  # on the UTC day of the payment
    sum_minor: int = 0
    recent: tuple[tuple[float, int], ...] = ()  # seconds before or after the payment, and amount, of each
    known_seconds: float = 86_400.0  # within so many seconds before and after the payment `recent` has them all


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInLimits:
    """What may be approved per card without the model; amounts in minor units of the payment's currency.

    A stand-in limit bounds the loss of an outage, as card schemes' stand-in processing does. Each limit is the last
    value allowed; 0 allows nothing. Raises ValueError for a negative limit.
    """

    max_amount_minor: int = 15_000  # one payment
    max_count: int = 5  # payments in a UTC day
    max_sum_minor: int = 30_000  # together in a UTC day
    windows: tuple[StandInWindow, ...] = (
        StandInWindow(hours=1.0, max_count=3, max_sum_minor=20_000),
        StandInWindow(hours=23.0, max_count=2, max_sum_minor=25_000, from_minor=5_000),
    )

    def __post_init__(self) -> None:
        if min(self.max_amount_minor, self.max_count, self.max_sum_minor) < 0:
            raise ValueError("a stand-in limit cannot be negative")

    def allow(self, amount_minor: int, used: StandInUse) -> bool:
        """Whether a payment may be approved after what was approved; not where that is not known."""
        return (
            amount_minor <= self.max_amount_minor
            and used.count < self.max_count
            and used.sum_minor + amount_minor <= self.max_sum_minor
            and all(_allows(window, amount_minor, used) for window in self.windows)
        )


def _allows(window: StandInWindow, amount_minor: int, used: StandInUse) -> bool:
    """Whether no stretch of the window's length that the payment is in would hold too much."""
    if amount_minor < window.from_minor:
        return True
    seconds = window.hours * 3600
    if seconds > used.known_seconds:
        return False
    amounts = [amount for away, amount in used.recent if away < seconds and amount >= window.from_minor]
    return len(amounts) < window.max_count and sum(amounts) + amount_minor <= window.max_sum_minor
