"""The trial of those that decide, by what they say of payments before they learn them: are they worse than a model was?

Champions and a model that was good are held against the same outcomes, by log loss. A bet on the champions being worse
wins what they lose more, and loses what they lose less. A bettor who begins again whenever the wealth falls below one
will, were they no worse, take more than ODDS payments on average to multiply it by ODDS, however long one looks (Shin,
Ramdas and Rinaldo, "E-detectors", 2023). There are bets of several sizes, so that none has to be right beforehand.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

ODDS = 1e8
BETS = (0.01, 0.03, 0.1, 0.3, 0.9)  # shares of the wealth
LEAST = 1e-3  # probabilities nearer to 0 or 1 count as this near
_MOST_LOSS = -math.log(LEAST)

Floats = NDArray[np.float64]


@dataclass(slots=True, kw_only=True)
class Trial:
    """Against the model of this version."""

    reference: str
    payments: int = 0
    lost_more: float = 0.0  # log loss of the champions, less that of the reference, summed
    is_worse: bool = False  # it was proven
    _log_wealth: list[float] = field(default_factory=lambda: [0.0] * len(BETS))

    def take(self, champion: Floats, reference: Floats, is_fraud: Sequence[bool]) -> None:
        """Fraud probabilities (n,) by both, in the order in which outcomes came to be known, and the outcomes."""
        outcomes = np.asarray(is_fraud, dtype=bool)
        more = _loss(champion, outcomes) - _loss(reference, outcomes)
        self.payments += len(outcomes)
        self.lost_more += float(more.sum())
        for number, bet in enumerate(BETS):
            wealth = self._log_wealth[number]
            for won in np.log1p(bet / _MOST_LOSS * more).tolist():
                wealth = max(wealth, 0.0) + won
                if wealth >= math.log(ODDS * len(BETS)):
                    self.is_worse = True
            self._log_wealth[number] = wealth

    def to_plain(self) -> dict[str, Any]:
        """Builtins only, for the snapshot."""
        return {
            "reference": self.reference,
            "payments": self.payments,
            "lost_more": self.lost_more,
            "log_wealth": list(self._log_wealth),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What `to_plain` wrote. Raises KeyError, TypeError or ValueError if it did not."""
        log_wealth = [float(each) for each in plain["log_wealth"]]
        if len(log_wealth) != len(BETS):
            raise ValueError(f"{len(log_wealth)} bets, not {len(BETS)}")
        return cls(
            reference=str(plain["reference"]),
            payments=int(plain["payments"]),
            lost_more=float(plain["lost_more"]),
            _log_wealth=log_wealth,
        )


def _loss(probability: Floats, is_fraud: NDArray[np.bool_]) -> Floats:
    told: Floats = np.clip(np.where(is_fraud, probability, 1.0 - probability), LEAST, 1.0 - LEAST)
    loss: Floats = -np.log(told)
    return loss
