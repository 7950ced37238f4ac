"""What came of a run: said so that it can be kept, and added to that of others."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chaos.ages import Ages
from chaos.checker import Verdict
from chaos.schedule import FaultKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One fault and what followed it."""

    kind: FaultKind
    back_seconds: float | None  # until a payment of after it was decided in every partition; None: not in time
    counted_from: float = 0.0  # seconds since 1970
    deciding_seconds: float | None = None  # until every partition had a decision appended again
    during: Ages  # from the fault until all was back
    after: Ages  # and in the seconds after that
    clocks: Mapping[int, int] = field(default_factory=dict)  # decisions, by whole seconds that their clock was ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one run."""

    verdict: Verdict
    episodes: list[Episode] = field(default_factory=list)
    calm: Ages = field(default_factory=dict)  # before the first fault
    inputs: int = 0  # records of `transactions`
    taken_back: int = 0  # records in aborted transactions
    unsent: int = 0

    @property
    def holds(self) -> bool:
        """Whether every promise was kept and every partition came back each time."""
        return self.verdict.holds and not self.unsent and all(each.back_seconds is not None for each in self.episodes)
