"""Now, by two clocks."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """The wall clock is what people are told, and may be set; how long something lasts is measured by the other."""

    time: datetime  # aware, UTC
    seconds: float  # of a clock that only goes on, from any beginning
