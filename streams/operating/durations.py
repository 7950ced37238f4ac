"""How long and since when, as people write it: `10s`, `500ms`, `1h30m`; ISO 8601."""

import re
import time
from datetime import UTC, datetime

import typer

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def seconds_of(text: str | float) -> float:
    """Seconds of a duration, or of a plain number; for typer's `parser`. Raises BadParameter.

    >>> seconds_of("1h30m"), seconds_of("500ms"), seconds_of(2)
    (5400.0, 0.5, 2.0)
    """
    written = str(text).strip()
    if _WHOLE.fullmatch(written):
        return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(written))
    try:
        seconds = float(written)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds < float("inf"):
        raise typer.BadParameter(f"{written!r} is no duration; write 500ms, 10s, 5m, 1h or 2d")
    return seconds


def since_when(since: str | None, last: float | None) -> float | None:
    """Seconds since the epoch of an ISO 8601 time, UTC unless it says, or of `last` seconds ago; None for neither.

    Raises BadParameter.
    """
    if since is not None and last is not None:
        raise typer.BadParameter("say either --since or --last")
    if since is None:
        return None if last is None else time.time() - last
    try:
        moment = datetime.fromisoformat(since)
    except ValueError as error:
        raise typer.BadParameter(f"--since: {since!r} is no ISO 8601 time") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
