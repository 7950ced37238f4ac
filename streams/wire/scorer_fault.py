"""What a scorer can be told to do wrong, for drills in a sandbox. Standard library alone: each scorer imports it."""

from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """How a model fails."""

    NONE = "none"  # it is well
    SLEEP = "sleep"  # it waits `delay_ms` before each answer
    SPIN = "spin"  # it computes without an end
    ALLOCATE = "allocate"  # it takes 2 GB, in a while
    EXIT = "exit"  # it ends
    SEGFAULT = "segfault"  # it reads where nothing is
    RAISE = "raise"  # it raises an error
    NAN = "nan"  # its probabilities are no numbers
    OUT_OF_RANGE = "out_of_range"  # they are 2.0
    TOO_FEW = "too_few"  # it answers one row less than it was asked
    PREVIOUS = "previous"  # it gives the answer of the batch before
    TRICKLE = "trickle"  # its answer comes byte by byte, `delay_ms` apart


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerFault:
    """What is on `control` under the key `fault`. One that does not last dies with the process that it befell."""

    kind: FaultKind = FaultKind.SLEEP
    delay_ms: float = 0.0
    lasting: bool = True
    until: float | None = None  # seconds since 1970: from then on it is well; None: until somebody says so
    who: str = ""
    why: str = ""
