"""How far automatic outcomes may go, so that no more of them than stated turn out wrong.

Scores are put in order, the surest first. Up to where the outcome may be automatic is read from what became of earlier
scores: the share of wrong ones among all that are at least as sure, at the upper end of what is likely (Wilson 1927),
must not be above the level; so do Geifman and El-Yaniv (2017, "Selective classification for deep neural networks").
What is aimed at is corrected by what then comes, as in adaptive conformal inference (Gibbs and Candès 2021): each wrong
one lowers the aim, each right one raises it, up to the level.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from models.conformal import BINS, Floats

LIKELY = 1.64  # standard deviations: 95 % one-sided
EXPECTED = 30  # wrong outcomes at the level: where fewer would be known, all may be automatic
GAIN = 0.02  # of the aim, for each wrong outcome more than the level allows
LEAST_AIM = 0.05  # of the level
RECOVERY = 0.02  # of the way back to the level at a look at which nothing was automatic: nothing else would end that


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLevels:
    """At most which share of automatic outcomes may be wrong. Raises ValueError for what is no share."""

    most_fraud_approved: float = 0.02  # of automatic approvals
    most_legitimate_blocked: float = 0.15  # of automatic blocks

    def __post_init__(self) -> None:
        if not (0 < self.most_fraud_approved < 1 and 0 < self.most_legitimate_blocked < 1):
            raise ValueError("an error level is a share: above 0 and below 1")


@dataclass(slots=True, kw_only=True)
class ErrorControl:
    """Of one kind of outcome. Bins are in its own order: 0 is the surest."""

    reach: int = BINS - 1  # the last bin whose outcome may be automatic; -1: none
    aim: float = 1.0  # of the level
    told: int = 0  # outcomes within reach since the last look
    wrong: int = 0

    def take(self, place: int, *, is_wrong: bool) -> None:
        """What an outcome, automatic or not, would have been."""
        if place <= self.reach:
            self.told += 1
            self.wrong += is_wrong

    def look(self, wrong: Floats, right: Floats, level: float) -> None:
        """Correct the aim by what was told since the last look, and the reach by all weights, one for each bin."""
        if self.told:
            self.aim = min(max(self.aim + GAIN * (level * self.told - self.wrong), LEAST_AIM), 1.0)
        else:
            self.aim += RECOVERY * (1.0 - self.aim)
        self.told = self.wrong = 0
        if wrong.sum() + right.sum() < EXPECTED / level:
            self.reach = BINS - 1
            return
        enough = np.flatnonzero(_likely_share(np.cumsum(wrong), np.cumsum(wrong + right)) <= level * self.aim)
        self.reach = int(enough[-1]) if enough.size else -1

    def to_plain(self) -> dict[str, Any]:
        """Builtins only."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What `to_plain` wrote. Raises KeyError, TypeError or ValueError if it did not."""
        control = cls(
            reach=int(plain["reach"]), aim=float(plain["aim"]), told=int(plain["told"]), wrong=int(plain["wrong"])
        )
        if not (-1 <= control.reach < BINS and LEAST_AIM <= control.aim <= 1 and 0 <= control.wrong <= control.told):
            raise ValueError("no error control")
        return control


def _likely_share(wrong: Floats, whole: Floats) -> Floats:
    """The upper end of Wilson's interval."""
    square = LIKELY**2
    right = whole - wrong
    spread = np.sqrt(wrong * right / np.maximum(whole, 1e-9) + square / 4)
    share: Floats = (wrong + square / 2 + LIKELY * spread) / (whole + square)
    return share
