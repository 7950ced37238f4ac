"""Whether payments still come in. Pure; the clock is passed in."""

from dataclasses import dataclass


@dataclass(slots=True)
class Inflow:
    """Looks at how many records there are; `silent_after` in seconds, 0: it is never silent.

    Where none ever came, nobody is missed: an installation may wait for its first payment as long as it likes.
    """

    silent_after: float
    _most: int | None = None
    _came_at: float | None = None  # the latest

    def counted(self, records: int, now: float) -> None:
        """So many there were, from the beginning of time; a few less than before, if some were still on their way."""
        if self._most is not None and records > self._most:
            self._came_at = now
        self._most = max(records, self._most or 0)

    def forget(self, now: float) -> None:
        """Nothing could be counted until now: the silence begins anew."""
        if self._came_at is not None:
            self._came_at = now

    def silence(self, now: float) -> float:
        """Seconds since the latest that was seen to come; 0 where none was."""
        return 0.0 if self._came_at is None else now - self._came_at

    def is_silent(self, now: float) -> bool:
        """Whether none came for too long."""
        return 0 < self.silent_after < self.silence(now)
