"""The track record: what became of the scores that were given, and what that says of the next ones.

Each score counts once, when its payment has matured: as what it had turned out to be by then. It was given before
anybody could learn from it, so this is no judgement of a model on what it was taught.
"""

from collections.abc import Mapping
from enum import StrEnum
from math import inf
from typing import Any, NamedTuple, Self

import numpy as np

from models.conformal import BINS, EDGES, Floats, Outcomes, bin_of, bins_of
from models.error_control import ErrorControl, ErrorLevels

LOOK_EVERY = 500  # scores


class Wanted(StrEnum):
    """What the costs asked for, by the score and the amount: whether it may be automatic is another question."""

    APPROVE = "approve"
    REVIEW = "review"
    BLOCK = "block"


class Certainties(NamedTuple):
    """What a track record says of scores: p-values by bin, and which outcomes may be automatic."""

    by_bin: Floats  # (BINS, 2), as of `models.conformal.Outcomes.p_values`
    bounds: tuple[float, float]  # approvals below the one, blocks from the other on

    def p_values(self, probabilities: Floats) -> Floats:
        """(n, 2): the p-values of n payments as legitimate ones and as frauds."""
        told: Floats = self.by_bin[bins_of(probabilities)]
        return told


UNKNOWN = Certainties(np.full((BINS, 2), np.nan), (inf, 0.0))


class TrackRecord:
    """Of one learner, whichever models it was that scored."""

    def __init__(self) -> None:
        self.outcomes = {wanted: Outcomes() for wanted in Wanted}
        self.approvals, self.blocks = ErrorControl(), ErrorControl()
        self.judges = False  # whether enough was known at the last look
        self._since_look = 0

    def take(self, probability: float, wanted: Wanted, levels: ErrorLevels, *, is_fraud: bool) -> None:
        """Take in what a payment turned out to be that was scored with this probability, and what costs asked for."""
        place = bin_of(probability)
        if wanted is Wanted.APPROVE:
            self.approvals.take(place, is_wrong=is_fraud)
        elif wanted is Wanted.BLOCK:
            self.blocks.take(BINS - 1 - place, is_wrong=not is_fraud)
        if is_fraud:
            for each in self.outcomes.values():
                each.age()
        self.outcomes[wanted].add(place, is_fraud=is_fraud)
        self._since_look += 1
        if self._since_look == LOOK_EVERY:
            self._look(levels)

    def _look(self, levels: ErrorLevels) -> None:
        self._since_look = 0
        self.judges = Outcomes.merged(self.outcomes.values()).suffice
        if self.judges:
            approved, blocked = self.outcomes[Wanted.APPROVE], self.outcomes[Wanted.BLOCK]
            self.approvals.look(approved.fraud, approved.legitimate, levels.most_fraud_approved)
            self.blocks.look(blocked.legitimate[::-1], blocked.fraud[::-1], levels.most_legitimate_blocked)

    def certainties(self) -> Certainties:
        """What it says now; UNKNOWN while it knows too little."""
        if not self.judges:
            return UNKNOWN
        edges = (0.0, *EDGES.tolist(), inf)
        return Certainties(
            by_bin=Outcomes.merged(self.outcomes.values()).p_values(),
            bounds=(edges[self.approvals.reach + 1], edges[BINS - 1 - self.blocks.reach]),
        )

    def to_plain(self) -> dict[str, Any]:
        """Builtins only, for a snapshot."""
        return {
            "outcomes": {wanted.value: each.to_plain() for wanted, each in self.outcomes.items()},
            "approvals": self.approvals.to_plain(),
            "blocks": self.blocks.to_plain(),
            "judges": self.judges,
            "since_look": self._since_look,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What `to_plain` wrote. Raises KeyError, TypeError or ValueError if it did not."""
        record = cls()
        record.outcomes = {wanted: Outcomes.from_plain(plain["outcomes"][wanted.value]) for wanted in Wanted}
        record.approvals = ErrorControl.from_plain(plain["approvals"])
        record.blocks = ErrorControl.from_plain(plain["blocks"])
        record.judges = bool(plain["judges"])
        record._since_look = int(plain["since_look"])
        if not 0 <= record._since_look < LOOK_EVERY:
            raise ValueError("no track record")
        return record
