"""When people pay: the hours of the week as an inhomogeneous Poisson process, by inverting its cumulated activity."""

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

HOUR = 3600.0
DAY = 24 * HOUR
WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a week's activity spreads over its 168 hours, from Monday 00:00 local time. Build it with `of`."""

    cumulative: tuple[float, ...]  # 169 values from 0 to 1, rising

    @classmethod
    def of(cls, workday: tuple[int, ...], weekend: tuple[int, ...]) -> "Rhythm":
        """From the weights of 24 hours of a workday and of a weekend day, all positive."""
        hours = workday * 5 + weekend * 2
        total = sum(hours)
        return cls((0.0, *(done / total for done in accumulate(hours))))

    def later(self, local: float, share: float) -> float:
        """The time, in seconds since a Monday 00:00 as is `local`, by which `share` of a week's activity has passed."""
        monday, second = local // WEEK * WEEK, local % WEEK
        hour = int(second / HOUR)
        begun, ended = self.cumulative[hour], self.cumulative[hour + 1]
        weeks, rest = divmod(begun + (ended - begun) * (second / HOUR - hour) + share, 1.0)
        hour = bisect(self.cumulative, rest, 1, 168) - 1
        begun, ended = self.cumulative[hour], self.cumulative[hour + 1]
        return max(local, monday + weeks * WEEK + (hour + (rest - begun) / (ended - begun)) * HOUR)


#                   0           6                 12                18             23
EARLY_BIRD = Rhythm.of(
    (1, 1, 1, 1, 2, 6, 14, 22, 24, 20, 20, 22, 28, 22, 18, 18, 22, 26, 22, 14, 8, 4, 2, 1),
    (1, 1, 1, 1, 2, 4, 8, 14, 22, 30, 36, 36, 32, 26, 22, 20, 20, 20, 18, 12, 8, 4, 2, 1),
)
OFFICE = Rhythm.of(
    (1, 1, 1, 1, 1, 2, 6, 14, 14, 8, 8, 16, 34, 26, 10, 10, 14, 28, 36, 30, 22, 14, 7, 3),
    (3, 2, 1, 1, 1, 1, 2, 4, 10, 20, 30, 34, 32, 28, 28, 28, 26, 26, 26, 26, 22, 16, 10, 6),
)
EVENING = Rhythm.of(
    (5, 3, 2, 1, 1, 1, 3, 6, 8, 8, 10, 12, 18, 16, 14, 14, 16, 22, 30, 36, 38, 34, 24, 12),
    (10, 7, 4, 2, 1, 1, 1, 2, 5, 10, 16, 22, 26, 26, 26, 26, 26, 28, 32, 36, 38, 34, 26, 16),
)
NIGHT_OWL = Rhythm.of(
    (30, 26, 22, 18, 12, 7, 3, 2, 2, 2, 3, 5, 8, 10, 12, 14, 16, 18, 20, 22, 24, 28, 32, 34),
    (36, 34, 30, 24, 16, 9, 4, 2, 2, 2, 2, 3, 5, 8, 10, 12, 14, 16, 20, 24, 28, 32, 36, 38),
)
