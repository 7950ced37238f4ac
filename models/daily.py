"""Daily buckets: a count or sum per UTC day, newest day first, read as a rolling window."""

from collections.abc import Sequence

SECONDS_PER_DAY = 86_400


def day_of(at: float) -> int:
    """UTC day number since 1970."""
    return int(at // SECONDS_PER_DAY)


def window_sum(buckets: Sequence[int], first: int, part: float, days: int) -> float:
    """Sum over (at - days, at]; the oldest day counts by the part of it still inside, so that the window rolls.

    `first` is the index of the day of `at`, newest day minus that day (negative when `at` is later than the newest),
    and `part` how much of it is still to come, in (0, 1].
    """
    last = first + days
    if last < 0:
        return 0.0
    total = float(sum(buckets[first if first > 0 else 0 : last]))
    return total + part * buckets[last] if last < len(buckets) else total


def advance(buckets: list[int] | bytearray, days: int) -> None:
    """Make the newest day `days` later, in place; what grows too old falls off the end."""
    if days == 1:
        buckets.insert(0, 0)
        buckets.pop()
        return
    length = len(buckets)
    buckets[:0] = bytes(min(days, length))
    del buckets[length:]
