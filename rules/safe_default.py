"""The safe default: the outcome chosen beforehand, by channel and amount, where neither model nor rules can decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from models.transaction import Channel
from rules.decision import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountBand:
    """Amounts below a bound, in minor units, from the bound of the band before; without a bound, all the rest.

    With a channel it is for payments of that channel alone.
    """

    below_minor: int | None = None
    outcome: Outcome
    channel: Channel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeDefaultPolicy:
    """Amount bands from the smallest up; those of a channel, where it has any, in place of those of none.

    Raises ValueError unless the bands without a channel, and those of each channel, cover every amount exactly once.
    """

    bands: tuple[AmountBand, ...] = (
        AmountBand(below_minor=2_000, outcome=Outcome.APPROVE),
        AmountBand(outcome=Outcome.REVIEW),
    )

    def __post_init__(self) -> None:
        for channel in {None, *(band.channel for band in self.bands)}:
            _check([band.below_minor for band in self._bands_of(channel)])

    def outcome_for(self, amount_minor: int, channel: Channel | None = None) -> Outcome:
        """The outcome of the first band whose bound is above the amount."""
        bands = self._bands_of(channel) or self._bands_of(None)
        return next(band.outcome for band in bands if band.below_minor is None or amount_minor < band.below_minor)

    def _bands_of(self, channel: Channel | None) -> list[AmountBand]:
        return [band for band in self.bands if band.channel is channel]


def _check(bounds: Sequence[int | None]) -> None:
    if not bounds or bounds[-1] is not None:
        raise ValueError("the last amount band must have no upper bound, so that every amount has an outcome")
    if any(upper is None or lower is None or upper <= lower for lower, upper in pairwise([0, *bounds[:-1]])):
        raise ValueError("amount bands must rise: each but the last needs a bound above the one before it")
