"""A drill: what is brought about, and what must come of it."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streams.operating.drills.evidence import Evidence
    from streams.operating.drills.stage import Stage

Act = Callable[[Any], Awaitable[None]]  # of a Stage, or of a ScratchStage where it is played on no other


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One expectation."""

    expected: str
    holds: bool
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """When a drill was at what; seconds since 1970."""

    calm_from: float  # before the failure
    began: float
    ended: float  # the failure was taken back
    over: float  # all was well and settled, or patience was at its end
    patience_ended: bool = False
    broken_off: bool = False  # the failure was taken back early, because payments suffered


Expect = Callable[["Evidence", Moments], Iterator[Check]]


class Where(StrEnum):
    """On which installations a drill may be played."""

    SCRATCH = "scratch"  # one that is gone afterwards
    SANDBOX = "sandbox"  # and one whose workers obey faults
    ANYWHERE = "anywhere"  # and one that decides real payments


HARD_SECONDS, SOFT_SECONDS = 2.0, 10.0  # in which a failure must be detected: one that is a fact, one that is a number


async def nothing(_: "Stage") -> None:
    """The failure is over by itself."""


def at_once(_: "Evidence", __: float) -> bool:
    """A drill is over as soon as all is well and settled."""
    return True


def nothing_more(_: "Evidence", __: Moments) -> Iterator[Check]:
    """What holds for every drill is all."""
    yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One kind of failure. Pure but for its acts.

    `begins` brings it about; `lasts_seconds` later `ends` takes it back. `reasons` are those that incidents must have:
    one each for every worker or for some, and no other incident may open.
    """

    name: str
    summary: str
    where: Where = Where.SCRATCH
    begins: Act
    ends: Act = nothing
    lasts_seconds: float = 5.0
    reasons: frozenset[str] = frozenset()  # of incidents; none: nobody needs to hear of it
    also: frozenset[str] = frozenset()  # reasons that may come with it
    detected_within_seconds: float = HARD_SECONDS
    age_p99_ms: float | None = 150.0  # of payments that came during the failure; None: they had to wait
    model_stays: bool = False  # the model goes on deciding all the while
    expects: Expect = nothing_more  # further expectations
    waits_for: Callable[["Evidence", float], bool] = at_once  # what is to be seen, so many seconds after its end
    patience_seconds: float = 90.0  # for all to be well and settled again
    takes_minutes: bool = False  # so it is played by its name only
