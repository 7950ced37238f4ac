"""What a card did just before a transaction: the velocities that rules look at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Recent use of a card at the time of a transaction, that transaction itself not included. Sums in minor units."""

    card_count_10m: int
    card_count_1h: int
    card_sum_1h_minor: int
    card_sum_1d_minor: int
    seconds_since_last: float | None  # None for a new card
    hour_utc: int
