"""What happened in a run, written down as it happens: one JSON object a line, so that a killed run can be read too."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson


class History:
    """Appends events; `at` is in seconds since 1970."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=1 << 16)

    def note(self, event: str, **facts: Any) -> None:
        """Write an event down."""
        self._file.write(orjson.dumps({"event": event, "at": time.time(), **facts}) + b"\n")

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def events(path: Path, *wanted: str) -> Iterator[dict[str, Any]]:
    """Read the events of these kinds back, all if none is named. A line half written is the end."""
    with path.open("rb") as file:
        for line in file:
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                return
            if not wanted or event["event"] in wanted:
                yield event
