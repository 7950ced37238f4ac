"""Counting decisions as they are seen: of the last few seconds, and of each chapter of a story. Pure."""

from array import array
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rules.decision import DecisionSource, FallbackReason, Outcome


class Seen(NamedTuple):
    """A decision as somebody who waits for it sees it; moments in seconds since 1970."""

    at: float  # when its committed record was received
    arrived: float  # the broker's timestamp of the transaction
    outcome: Outcome
    source: DecisionSource
    fallback_reason: FallbackReason | None
    model_version: str | None

    @property
    def age_ms(self) -> float:
        """From the broker's timestamp of the transaction to the receipt of its decision."""
        return (self.at - self.arrived) * 1000.0


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the ordered values do not exceed; None of nothing.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5), percentile([1.0, 2.0, 3.0, 4.0], 0.99)
    (2.0, 4.0)
    """
    if not ordered:
        return None
    rank = max(1, -int(-len(ordered) * share // 1))
    return ordered[rank - 1]


class Recent:
    """Decisions of the last few seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._seen: deque[Seen] = deque()

    def add(self, seen: Seen) -> None:
        """One more."""
        self._seen.append(seen)

    def forget(self, now: float) -> None:
        """Let go of what is older."""
        while self._seen and self._seen[0].at < now - self.seconds:
            self._seen.popleft()

    @property
    def per_second(self) -> float:
        """How many there were in a second."""
        return len(self._seen) / self.seconds

    @property
    def by_source(self) -> Counter[DecisionSource]:
        """Who decided."""
        return Counter(seen.source for seen in self._seen)

    @property
    def by_outcome(self) -> Counter[Outcome]:
        """What was decided."""
        return Counter(seen.outcome for seen in self._seen)

    @property
    def fallbacks(self) -> Counter[FallbackReason]:
        """Why the model did not decide."""
        return Counter(seen.fallback_reason for seen in self._seen if seen.fallback_reason is not None)

    @property
    def model_share(self) -> float:
        """Share of the decisions for which the model had answered; hard rules may still have gone before it."""
        return 1.0 - self.fallbacks.total() / len(self._seen) if self._seen else 0.0

    def ages_ms(self) -> list[float]:
        """Ages in order."""
        return sorted(seen.age_ms for seen in self._seen)


@dataclass(slots=True)
class Chapter:
    """A stretch of a story, by when transactions arrived."""

    name: str
    begins: float  # seconds since 1970, the clock of the broker
    decisions: Counter[tuple[Outcome, DecisionSource]] = field(default_factory=Counter)
    fallbacks: int = 0
    ages_ms: "array[float]" = field(default_factory=lambda: array("d"))

    @property
    def count(self) -> int:
        """Decisions on transactions that arrived in it."""
        return len(self.ages_ms)

    def age_ms(self, share: float) -> float | None:
        """A percentile of the ages."""
        return percentile(sorted(self.ages_ms), share)


class Tally:
    """All decisions, in chapters."""

    def __init__(self) -> None:
        self.chapters: list[Chapter] = []

    def begin(self, name: str, at: float) -> None:
        """What arrives from now on belongs to a new chapter."""
        self.chapters.append(Chapter(name, at))

    def add(self, seen: Seen) -> None:
        """Count a decision in the chapter in which its transaction arrived."""
        chapter = next((each for each in reversed(self.chapters) if each.begins <= seen.arrived), None)
        if chapter is None:
            return
        chapter.decisions[seen.outcome, seen.source] += 1
        chapter.fallbacks += seen.fallback_reason is not None
        chapter.ages_ms.append(seen.age_ms)

    @property
    def count(self) -> int:
        """All of them."""
        return sum(chapter.count for chapter in self.chapters)

    @property
    def decisions(self) -> Counter[tuple[Outcome, DecisionSource]]:
        """By outcome and source, over all chapters."""
        return sum((chapter.decisions for chapter in self.chapters), Counter())

    def chapter(self, name: str) -> Chapter | None:
        """The chapter of this name."""
        return next((each for each in self.chapters if each.name == name), None)
