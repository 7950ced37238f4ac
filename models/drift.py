"""Detectors of drift: whether values are no longer what they were. What is held against what says `drift_watch`.

`MeanShift` is Page's cumulative sum (1954) for an upward shift of a mean. Its limit comes from what it has seen, by the
adjustment coefficient of ruin theory (Lundberg): no distribution is assumed, and rare large values, which frauds are,
raise it. `Stability` compares distributions by the population stability index that credit scoring knows.
Everything is bounded, and plain data to be kept: a restarted detector says what an uninterrupted one would.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

BINS = 64
LEAST_SEEN = 2_000  # values before it judges
MOST_SEEN = 100_000  # then old ones count half
HELD_BACK = 1_000  # latest values that are not yet what it holds others against
RUN_LENGTH = 3e5  # values between two false alarms: more than so many, on average
SLACK = 0.1  # standard deviations by which a mean may move unnoticed
_ASK_AGAIN = 500  # values between two looks at the limit

STABILITY_BINS = 20
_BOUND = 10.0  # log-odds
_LEAST_SHARE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A mean moved up: what it was, what it is since, and over how many values that was seen."""

    before: float
    after: float
    values: int


class MeanShift:
    """Tells when the mean of values within [low, high] moves up, and then takes the new one for the usual."""

    def __init__(self, low: float, high: float) -> None:
        if not low < high:
            raise ValueError("low must be below high")
        self._low, self._high, self._width = low, high, (high - low) / BINS
        self._counts = [0] * BINS  # of what is usual
        self._latest: deque[int] = deque()  # bins of the values held back
        self._seen = 0  # of those counted
        self._mean = self._slack = 0.0
        self._limit: float | None = None  # of the height; None: not known yet
        self._height = self._sum = 0.0  # of the rise under way, and of its values
        self._risen = self._since_asked = 0

    def take(self, value: float) -> Alarm | None:
        """Take one value in, beyond the bounds as the bound; the alarm that it raises, if any. ValueError for NaN."""
        if math.isnan(value):
            raise ValueError("NaN has no place")
        bounded = max(self._low, min(value, self._high))
        place = min(int((bounded - self._low) / self._width), BINS - 1)
        if len(self._latest) >= HELD_BACK:
            self._settle(self._latest.popleft())
        self._latest.append(place)
        if self._seen < LEAST_SEEN:
            return None
        if self._limit is None or self._since_asked >= _ASK_AGAIN:
            self._ask()
        self._since_asked += 1
        rise = self._centre(place) - self._mean - self._slack
        if self._height + rise <= 0:
            self._height, self._risen, self._sum = 0.0, 0, 0.0
            return None
        self._height += rise
        self._risen += 1
        self._sum += self._centre(place)
        if self._limit is None or self._height <= self._limit:
            return None
        alarm = Alarm(before=self._mean, after=self._sum / self._risen, values=self._risen)
        self._start_over()
        return alarm

    @property
    def judges(self) -> bool:
        """Whether it has seen enough to know what is usual."""
        return self._seen >= LEAST_SEEN

    def to_plain(self) -> dict[str, Any]:
        """Builtins only, for a snapshot."""
        return {
            "counts": list(self._counts),
            "latest": list(self._latest),
            "height": self._height,
            "risen": self._risen,
            "sum": self._sum,
            "since_asked": self._since_asked,
            "usual": None if self._limit is None else [self._mean, self._slack, self._limit],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], low: float, high: float) -> Self:
        """The detector that `to_plain` wrote. Raises KeyError, TypeError or ValueError if it did not."""
        detector = cls(low, high)
        counts = [int(count) for count in plain["counts"]]
        if len(counts) != BINS:
            raise ValueError(f"{BINS} bins expected, not {len(counts)}")
        detector._counts = counts
        detector._seen = sum(counts)
        detector._latest.extend(int(place) for place in plain["latest"])
        detector._height, detector._sum = float(plain["height"]), float(plain["sum"])
        detector._risen, detector._since_asked = int(plain["risen"]), int(plain["since_asked"])
        if plain["usual"] is not None:
            detector._mean, detector._slack, detector._limit = map(float, plain["usual"])
        return detector

    def _start_over(self) -> None:
        """What is usual is to be learnt anew."""
        self._counts = [0] * BINS
        self._latest.clear()
        self._seen = self._risen = self._since_asked = 0
        self._limit = None
        self._height = self._sum = 0.0

    def _settle(self, place: int) -> None:
        self._counts[place] += 1
        self._seen += 1
        if self._seen >= MOST_SEEN:
            self._counts = [count // 2 for count in self._counts]
            self._seen = sum(self._counts)

    def _centre(self, place: int) -> float:
        return self._low + (place + 0.5) * self._width

    def _ask(self) -> None:
        """What is usual, and how high the sum may rise: where a false alarm in RUN_LENGTH values is to be expected."""
        self._since_asked = 0
        centres = [self._centre(place) for place in range(BINS)]
        shares = [count / self._seen for count in self._counts]
        self._mean = sum(map(float.__mul__, centres, shares))
        deviation = math.sqrt(sum(share * (at - self._mean) ** 2 for at, share in zip(centres, shares, strict=True)))
        deviation = max(deviation, self._width)  # of values that are all alike
        self._slack = SLACK * deviation + 2.0 * deviation / math.sqrt(self._seen)  # the mean itself is uncertain
        steps = [at - self._mean - self._slack for at in centres]
        self._limit = math.log(RUN_LENGTH) / _adjustment(steps, shares, deviation)


def _adjustment(steps: Sequence[float], shares: Sequence[float], deviation: float) -> float:
    """The positive root r of E[exp(r * step)] = 1, of steps that fall on average; per unit of a step."""

    def excess(root: float) -> float:
        return sum(share * math.exp(min(root * step, 500.0)) for step, share in zip(steps, shares, strict=True)) - 1.0

    low, high = 0.0, 1e-3 / deviation
    while excess(high) <= 0.0 and high < 20.0 / deviation:
        low, high = high, 2.0 * high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) <= 0.0 else (low, middle)
    return high


class Stability:
    """Compares log-odds of windows of `window` scores with those of the windows before, by population stability index.

    The index is the sum over bins of (now - before) * ln(now / before): below 0.1 nothing has changed, above 0.25 much.
    """

    def __init__(self, window: int) -> None:
        if window < 1:
            raise ValueError("a window has at least one score")
        self._window = window
        self._before = [0.0] * STABILITY_BINS
        self._now = [0] * STABILITY_BINS

    def take(self, log_odds: float) -> float | None:
        """Take one score in; the index, once a window is full and there was one before."""
        place = int((min(max(log_odds, -_BOUND), _BOUND) + _BOUND) / (2 * _BOUND) * STABILITY_BINS)
        self._now[min(place, STABILITY_BINS - 1)] += 1
        if sum(self._now) < self._window:
            return None
        now, self._now = self._now, [0] * STABILITY_BINS
        index = self._index(now) if any(self._before) else None
        # A slow change becomes the usual; a window counts a fifth.
        self._before = [
            0.8 * before + 0.2 * count if any(self._before) else float(count)
            for before, count in zip(self._before, now, strict=True)
        ]
        return index

    def to_plain(self) -> dict[str, Any]:
        """Builtins only, for a snapshot."""
        return {"before": list(self._before), "now": list(self._now)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], window: int) -> Self:
        """The comparison that `to_plain` wrote. Raises KeyError, TypeError or ValueError if it did not."""
        stability = cls(window)
        stability._before, stability._now = list(map(float, plain["before"])), list(map(int, plain["now"]))
        if not len(stability._before) == len(stability._now) == STABILITY_BINS:
            raise ValueError(f"{STABILITY_BINS} bins expected")
        return stability

    def _index(self, now: Sequence[int]) -> float:
        before_sum, now_sum = sum(self._before), sum(now)
        index = 0.0
        for before, count in zip(self._before, now, strict=True):
            was, is_now = max(before / before_sum, _LEAST_SHARE), max(count / now_sum, _LEAST_SHARE)
            index += (is_now - was) * math.log(is_now / was)
        return index
