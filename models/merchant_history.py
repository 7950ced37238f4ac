"""What labels say of a merchant or terminal: the learner keeps it, and publishes those with fraud to every worker."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from models.daily import SECONDS_PER_DAY, advance, day_of

HISTORY_DAYS = 45
RECENT = 8


class MerchantHistoryMalformed(ValueError):
    """A plain form that is no merchant history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantHistory:
    """Labels of one acceptor by the time of their transactions (seconds since 1970), in whatever order they came.

    `labelled` and `fraud` count per UTC day, newest first; `newest_day` is the day number since 1970 of the first.
    `recent` holds the latest outcomes by transaction time, oldest first. The run is the unbroken line of fraud labels
    at the end, and `run_since` the first of them.
    """

    newest_day: int = 0
    labelled: tuple[int, ...] = (0,) * HISTORY_DAYS
    fraud: tuple[int, ...] = (0,) * HISTORY_DAYS
    fraud_run: int = 0
    run_since: float | None = None
    last_legitimate_at: float | None = None
    last_fraud_at: float | None = None
    recent: tuple[tuple[float, bool], ...] = ()

    def has_fraud(self, at: float, window_days: int) -> bool:
        """Whether a transaction of the last `window_days` before `at` is labelled fraud: if so, it is published."""
        return self.last_fraud_at is not None and self.last_fraud_at > at - window_days * SECONDS_PER_DAY

    def to_plain(self) -> dict[str, Any]:
        """Builtins only, for the wire."""
        return {
            "newest_day": self.newest_day,
            "labelled": list(self.labelled),
            "fraud": list(self.fraud),
            "fraud_run": self.fraud_run,
            "run_since": self.run_since,
            "last_legitimate_at": self.last_legitimate_at,
            "last_fraud_at": self.last_fraud_at,
            "recent": [[at, is_fraud] for at, is_fraud in self.recent],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The history `to_plain` wrote; unknown keys are ignored. Raises MerchantHistoryMalformed."""
        try:
            return cls(
                newest_day=int(plain["newest_day"]),
                labelled=_buckets(plain["labelled"]),
                fraud=_buckets(plain["fraud"]),
                fraud_run=int(plain["fraud_run"]),
                run_since=_moment(plain["run_since"]),
                last_legitimate_at=_moment(plain["last_legitimate_at"]),
                last_fraud_at=_moment(plain["last_fraud_at"]),
                recent=tuple((_moment(at) or 0.0, bool(is_fraud)) for at, is_fraud in plain["recent"])[-RECENT:],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise MerchantHistoryMalformed(f"not a merchant history: {error!r}") from error


def learn(history: MerchantHistory, at: float, *, is_fraud: bool) -> MerchantHistory:
    """The history with one more label, of a transaction at `at`. Labels may come in any order of transaction time."""
    recent = tuple(sorted((*history.recent, (at, is_fraud)))[-RECENT:])
    newest_day, labelled, fraud = _counted(history, at, is_fraud=is_fraud)
    run = _run_with_fraud(history, at) if is_fraud else _run_with_legitimate(history, at, recent)
    return MerchantHistory(
        newest_day=newest_day,
        labelled=labelled,
        fraud=fraud,
        fraud_run=run[0],
        run_since=run[1],
        last_legitimate_at=history.last_legitimate_at if is_fraud else _later(history.last_legitimate_at, at),
        last_fraud_at=_later(history.last_fraud_at, at) if is_fraud else history.last_fraud_at,
        recent=recent,
    )


def _counted(history: MerchantHistory, at: float, *, is_fraud: bool) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """The newest day and both rows of buckets with this label in them; one older than all buckets is not counted."""
    day = day_of(at)
    newest = max(history.newest_day, day)
    labelled, fraud = list(history.labelled), list(history.fraud)
    for buckets in (labelled, fraud):
        advance(buckets, newest - history.newest_day)
    if newest - day < HISTORY_DAYS:
        labelled[newest - day] += 1
        fraud[newest - day] += is_fraud
    return newest, tuple(labelled), tuple(fraud)


def _run_with_fraud(history: MerchantHistory, at: float) -> tuple[int, float | None]:
    """Length and beginning of the run; a fraud from before the last legitimate transaction is not part of it."""
    if history.last_legitimate_at is not None and at <= history.last_legitimate_at:
        return history.fraud_run, history.run_since
    return history.fraud_run + 1, at if history.run_since is None else min(history.run_since, at)


def _run_with_legitimate(
    history: MerchantHistory, at: float, recent: tuple[tuple[float, bool], ...]
) -> tuple[int, float | None]:
    """A legitimate label ends the run, but one from before the run leaves it, and one from within keeps its end.

    Of a run longer than `recent` only the remembered end is kept when the label falls inside.
    """
    if history.run_since is None or at < history.run_since:
        return history.fraud_run, history.run_since
    run = [moment for moment, is_fraud in recent if is_fraud and moment > at]
    return len(run), min(run, default=None)


def _later(known: float | None, at: float) -> float:
    return at if known is None else max(known, at)


def _buckets(values: list[int]) -> tuple[int, ...]:
    if len(values) != HISTORY_DAYS:
        raise ValueError(f"{HISTORY_DAYS} daily counts expected, not {len(values)}")
    return tuple(int(value) for value in values)


def _moment(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise ValueError(f"{value!r} is no moment")
    return None if value is None else float(value)
