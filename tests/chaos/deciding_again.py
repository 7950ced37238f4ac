"""When all partitions were being decided again after a moment, by the broker's clock of the decisions themselves.

Not the same as being back: behind an outage of a minute lies a minute's payments, and those come first.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence


def deciding_again(appended: Mapping[int, Sequence[float]], moment: float) -> float | None:
    """Seconds from the moment until each partition had a decision appended after it; None where one has none.

    `appended` are times of committed decisions by partition, in order. Those of a process that was killed at the moment
    were appended before it, or are in an aborted transaction.
    """
    after = [(times, bisect_right(times, moment)) for times in appended.values()]
    if any(place == len(times) for times, place in after):
        return None
    return max((times[place] - moment for times, place in after), default=0.0)
