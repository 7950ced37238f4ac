"""What deciding a batch gives: records for a Kafka transaction, and what there is to tell of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from models.dead_letter import DeadLetterReason
from rules.decision import DecisionSource, FallbackReason, Outcome


class Outgoing(NamedTuple):
    """One record to be sent."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


@dataclass(slots=True)
class FallbackTally:
    """Stand-in decisions of a batch for one reason."""

    count: int = 0
    amount_minor: int = 0
    samples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Decided:
    """A decided batch of one partition."""

    decisions: dict[Outcome, list[Outgoing]] = field(default_factory=lambda: {outcome: [] for outcome in Outcome})
    canaries: list[Outgoing] = field(default_factory=list)  # decisions that are nobody's
    dead_letters: list[Outgoing] = field(default_factory=list)
    profiles: list[Outgoing] = field(default_factory=list)
    duplicates: int = 0
    tallies: Counter[tuple[Outcome, DecisionSource]] = field(default_factory=Counter)
    fallbacks: dict[FallbackReason, FallbackTally] = field(default_factory=dict)
    malformed: Counter[DeadLetterReason] = field(default_factory=Counter)
    ages: list[float] = field(default_factory=list)  # seconds from the broker's timestamp to the decision
    deadlines_missed: int = 0
    blocks_limited: int = 0  # that became reviews, because too large a share would be blocked
    block_limit_reached: bool = False  # the next block would be one of them
    explored: int = 0  # would-be blocks that were let through to learn what they are
    rules_failed: int = 0  # payments whose rules could not be evaluated
