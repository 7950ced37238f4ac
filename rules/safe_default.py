"""The safe default: the outcome chosen beforehand, by amount alone, for when neither model nor rules can decide."""

from dataclasses import dataclass
from itertools import pairwise

from rules.decision import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountBand:
    """Amounts below a bound, in minor units, from the bound of the band before; without a bound, all the rest."""

    below_minor: int | None = None
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeDefaultPolicy:
    """Amount bands from the smallest up. Raises ValueError unless they cover every amount exactly once."""

    bands: tuple[AmountBand, ...] = (
        AmountBand(below_minor=2_000, outcome=Outcome.APPROVE),
        AmountBand(outcome=Outcome.REVIEW),
    )

    def __post_init__(self) -> None:
        if not self.bands or self.bands[-1].below_minor is not None:
            raise ValueError("the last amount band must have no upper bound, so that every amount has an outcome")
        bounds = [0, *(band.below_minor for band in self.bands[:-1])]
        if any(upper is None or lower is None or upper <= lower for lower, upper in pairwise(bounds)):
            raise ValueError("amount bands must rise: each but the last needs a bound above the one before it")

    def outcome_for(self, amount_minor: int) -> Outcome:
        """The outcome of the first band whose bound is above the amount."""
        return next(band.outcome for band in self.bands if band.below_minor is None or amount_minor < band.below_minor)
