"""A drill: what is brought about, and what must come of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.operating.drills.stage import Stage

Act = Callable[["Stage"], Awaitable[None]]

HARD_SECONDS, SOFT_SECONDS = 2.0, 10.0  # in which a failure must be detected: one that is a fact, one that is a number


async def nothing(_: "Stage") -> None:
    """The failure is over by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One kind of failure. Pure but for its acts.

    `begins` brings it about; `lasts_seconds` later `ends` takes it back. `reasons` are those that incidents must have:
    one each for every worker or for some, and no other incident may open.
    """

    name: str
    summary: str
    begins: Act
    ends: Act = nothing
    lasts_seconds: float = 5.0
    reasons: frozenset[str] = frozenset()  # of incidents; none: nobody needs to hear of it
    also: frozenset[str] = frozenset()  # reasons that may come with it
    detected_within_seconds: float = HARD_SECONDS
    age_p99_ms: float | None = 150.0  # of payments that came during the failure; None: they had to wait
    model_stays: bool = False  # the model goes on deciding all the while
