"""A wall clock of a process's own, that can be stepped while it runs; its monotonic clock goes on undisturbed.

By libfaketime, which reads how far the clock is off from a file, at most a second late.
Version 0.9.10 breaks `time.sleep`: the leash above a process is not run under it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LIBRARY = "libfaketimeMT.so.1"
CACHED_SECONDS = 1
PLACES = (Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib"))


@dataclass(frozen=True, slots=True)
class Clock:
    """What the processes see that are run under it. Right until it is stepped."""

    file: Path

    def __post_init__(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._set(0)

    def over(self, command: Sequence[str]) -> tuple[str, ...]:
        """The command that runs this one under this clock. Raises FileNotFoundError without libfaketime."""
        if (library := _library()) is None:
            raise FileNotFoundError(LIBRARY)
        return (
            "env",
            f"LD_PRELOAD={library}",
            f"FAKETIME_TIMESTAMP_FILE={self.file}",
            f"FAKETIME_CACHE_DURATION={CACHED_SECONDS}",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "FAKETIME_FORCE_MONOTONIC_FIX=0",  # else timed waits end at once, and Python's for its lock spin
            "FAKETIME_DISABLE_SHM=1",  # no time shared with children: the file is
            "NO_FAKE_STAT=1",
            *command,
        )

    @contextmanager
    def off(self, seconds: int) -> Iterator[None]:
        """So many seconds ahead of the right time in the block, or behind it."""
        self._set(seconds)
        try:
            yield
        finally:
            self._set(0)

    def _set(self, seconds: int) -> None:
        draft = self.file.with_suffix(".new")
        draft.write_text(f"{seconds:+d}\n")
        draft.rename(self.file)


def obstacle() -> str | None:
    """Why no clock can be stepped here; None where it can."""
    return None if _library() else "libfaketime is not installed; apt-get install faketime"


def _library() -> Path | None:
    places = (place / folder for place in PLACES for folder in (f"{os.uname().machine}-linux-gnu/faketime", "faketime"))
    return next((each / LIBRARY for each in places if (each / LIBRARY).exists()), None)
