"""Watches a model for drift: on its scores, and on what labels say of them.

Three things are held against labels, each by a detector of its own. The excess loss is the log loss of a score less
what was to be expected of it, -p ln p - (1-p) ln (1-p): it is zero on average as long as scores are true. The residual,
label less score, rises where there is more fraud than the scores say, and falls where there is less.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from models.drift import MeanShift, Stability

WINDOW = 5_000  # scores that are compared with those before
UNSTABLE, STABLE = 0.25, 0.1  # population stability index: drift begins, and ends
_LEAST = 1e-6
_EXCESS, _RESIDUAL = (-2.0, 8.0), (-1.0, 1.0)  # bounds


class DriftSign(StrEnum):
    """What has moved."""

    LOSS = "EXCESS_LOSS"  # labels surprise more than they did
    MORE_FRAUD = "MORE_FRAUD_THAN_SCORED"
    LESS_FRAUD = "LESS_FRAUD_THAN_SCORED"
    SCORES = "SCORES_MOVED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A sign of drift, and what was measured: of labels means before and since, over how many; of scores the index."""

    sign: DriftSign
    before: float
    after: float
    values: int


class DriftWatch:
    """Takes scores, and what became of them; says what has moved."""

    def __init__(self) -> None:
        self._detectors = {
            DriftSign.LOSS: MeanShift(*_EXCESS),
            DriftSign.MORE_FRAUD: MeanShift(*_RESIDUAL),
            DriftSign.LESS_FRAUD: MeanShift(*_RESIDUAL),
        }
        self._stability = Stability(WINDOW)
        self._held: set[DriftSign] = set()

    @property
    def signs(self) -> frozenset[DriftSign]:
        """What holds now: of labels until it is known what is usual since, of scores until they are stable."""
        settled = {sign for sign, detector in self._detectors.items() if detector.judges}
        return frozenset(self._held - settled)

    def scored(self, probability: float) -> Drift | None:
        """A payment was decided with this fraud probability; to be told in the order of payments."""
        told = min(max(probability, _LEAST), 1 - _LEAST)
        index = self._stability.take(math.log(told / (1 - told)))
        if index is None:
            return None
        if index < STABLE:
            self._held.discard(DriftSign.SCORES)
        if index < UNSTABLE or DriftSign.SCORES in self._held:
            return None
        self._held.add(DriftSign.SCORES)
        return Drift(sign=DriftSign.SCORES, before=0.0, after=index, values=WINDOW)

    def labelled(self, probability: float, *, is_fraud: bool) -> list[Drift]:
        """What a payment that was decided with this probability has turned out to be, at the same age as all others."""
        told = min(max(probability, _LEAST), 1 - _LEAST)
        expected = -told * math.log(told) - (1 - told) * math.log(1 - told)
        loss = -math.log(told if is_fraud else 1 - told)
        values = {
            DriftSign.LOSS: loss - expected,
            DriftSign.MORE_FRAUD: is_fraud - told,
            DriftSign.LESS_FRAUD: told - is_fraud,
        }
        found = []
        for sign, value in values.items():
            if (alarm := self._detectors[sign].take(value)) is not None:
                self._held.add(sign)
                found.append(Drift(sign=sign, before=alarm.before, after=alarm.after, values=alarm.values))
        return found

    def to_plain(self) -> dict[str, Any]:
        """Builtins only, for a snapshot."""
        return {
            "detectors": {sign.value: detector.to_plain() for sign, detector in self._detectors.items()},
            "stability": self._stability.to_plain(),
            "held": sorted(self._held),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The watch that `to_plain` wrote. Raises KeyError, TypeError or ValueError if it did not."""
        watch = cls()
        for sign in watch._detectors:
            bounds = _EXCESS if sign is DriftSign.LOSS else _RESIDUAL
            watch._detectors[sign] = MeanShift.from_plain(plain["detectors"][sign.value], *bounds)
        watch._stability = Stability.from_plain(plain["stability"], WINDOW)
        watch._held = {DriftSign(sign) for sign in plain["held"]}
        return watch
