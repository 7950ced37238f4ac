"""Exploration: a small share of would-be blocks goes through, so that their outcome comes to be known. Pure.

What is blocked has no outcome: a model that learns from outcomes alone never hears that it blocks the wrong ones. So a
few of them, drawn by chance and within bounds, are approved or shown to a person, and the decision says how likely that
was (Dudik, Langford and Li 2011, "Doubly robust policy evaluation and learning").
"""

from dataclasses import dataclass, field
from hashlib import blake2b

from msgspec.structs import replace

from rules.decision import DecisionSource, Outcome, ReasonCode
from rules.judgement import Conclusion

MOST_SHARE = 0.1
_DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplorationPolicy:
    """Which would-be blocks may be explored, and what becomes of them. Off by default.

    Raises ValueError for a share above MOST_SHARE, for a block as outcome, for negative bounds, and for no salt: who
    can compute the draw can choose ids that are let through.
    """

    share: float = 0.0  # of the would-be blocks within the bounds; 0: none
    outcome: Outcome = Outcome.REVIEW  # or approve
    max_amount_minor: int = 5_000  # the largest payment explored
    max_per_card: int = 1  # approvals without the model's word on one card in a UTC day, stand-in approvals among them
    max_per_day: int = 50  # of one worker in a UTC day
    max_sum_minor_per_day: int = 100_000  # together, of one worker in a UTC day
    salt: str = field(default="", repr=False)  # a secret

    def __post_init__(self) -> None:
        if not 0 <= self.share <= MOST_SHARE:
            raise ValueError(f"an explored share is 0 to {MOST_SHARE:g}")
        if self.outcome is Outcome.BLOCK:
            raise ValueError("a block explores nothing")
        if min(self.max_amount_minor, self.max_per_card, self.max_per_day, self.max_sum_minor_per_day) < 0:
            raise ValueError("a bound of exploration cannot be negative")
        if self.share and not self.salt:
            raise ValueError("exploration needs a salt that nobody else knows")

    def draws(self, transaction_id: str) -> bool:
        """Whether the draw falls on this payment; of one id always the same, so a redelivered one ends as before."""
        digest = blake2b(transaction_id.encode(), digest_size=8, key=self.salt.encode()[:64]).digest()
        return int.from_bytes(digest, "little") < self.share * 2**64


class Exploration:
    """Of one worker. What it may spend in a UTC day grows with the part of it that the worker has been there.

    So no number of restarts spends more than one day's bounds.
    """

    def __init__(self, policy: ExplorationPolicy, started: float) -> None:
        self._policy = policy
        self._started = started
        self._day = -1
        self._count = 0
        self._sum_minor = 0

    @property
    def is_on(self) -> bool:
        """Whether it may let anything through."""
        return self._policy.share > 0

    def admit(
        self, concluded: Conclusion, transaction_id: str, amount_minor: int, *, card_count: int, now: float
    ) -> Conclusion:
        """The conclusion with its propensity, or what explores it, at `now` (seconds since 1970).

        Only the model's own blocks are explored: no hard rule's, and none of a fallback. `card_count` is how many were
        approved without the model's word on the card today. A block beyond a bound comes back as it was.
        """
        policy = self._policy
        if not policy.share or concluded.outcome is not Outcome.BLOCK or concluded.source is not DecisionSource.MODEL:
            return concluded
        if amount_minor > policy.max_amount_minor or card_count >= policy.max_per_card:
            return concluded
        if not self._affords(amount_minor, now):
            return concluded
        if not policy.draws(transaction_id):
            return replace(concluded, propensity=1.0 - policy.share)
        self._count += 1
        self._sum_minor += amount_minor
        return replace(
            concluded,
            outcome=policy.outcome,
            reasons=(*concluded.reasons, ReasonCode.EXPLORATION),
            confidence=None,
            expected_cost_minor=None,
            propensity=policy.share,
        )

    def _affords(self, amount_minor: int, now: float) -> bool:
        day = int(now // _DAY)
        if day != self._day:
            self._day, self._count, self._sum_minor = day, 0, 0
        part = min(max(now - max(day * _DAY, self._started), 0.0) / _DAY, 1.0)
        return (
            self._count + 1 <= self._policy.max_per_day * part
            and self._sum_minor + amount_minor <= self._policy.max_sum_minor_per_day * part
        )
