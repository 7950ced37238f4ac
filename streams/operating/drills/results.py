"""What drills came to, as plain records: printed, kept in a file so that others may go on, and made a report of."""

from collections.abc import Iterable, Sequence
from math import floor
from pathlib import Path
from typing import NamedTuple

import msgspec

from streams.operating.drills.drill import Check
from streams.operating.drills.evidence import Decided
from streams.operating.drills.judging import Judgement
from streams.overseeing.tally import percentile

STEP_SECONDS = 0.5


class ResultsUnreadable(ValueError):
    """A file that holds something else than results; the message says which line."""


class Step(NamedTuple):
    """Payments that came within STEP_SECONDS of each other."""

    second: float  # from the beginning of the failure
    age_p99_ms: float
    without_model: float  # of them, 0 to 1


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One drill, played once. Seconds are from the beginning of the failure; None: it did not happen."""

    drill: str
    passed: bool
    lasted_seconds: float  # the failure
    detected_seconds: float | None
    contained_seconds: float | None
    restored_seconds: float | None
    settled_seconds: float | None
    age_p50_ms: float | None  # of payments that came during the failure
    age_p99_ms: float | None
    decisions: int
    without_model: int
    fallback_reasons: dict[str, int]
    checks: tuple[Check, ...]
    course: tuple[Step, ...] = ()


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Drills that were played one after the other on one installation, and the audit of it afterwards."""

    rate: float | None  # payments a second; None: the traffic was a live one
    machine: str
    results: tuple[Result, ...]
    transactions: int
    unaccounted: int
    decided_twice: int
    contradictory: int

    @property
    def passed(self) -> bool:
        """Whether every drill did, and every payment ended exactly once."""
        return not (self.unaccounted or self.decided_twice or self.contradictory) and all(
            each.passed for each in self.results
        )


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Round)


def result_of(judgement: Judgement, decisions: Iterable[Decided]) -> Result:
    """What a drill came to, and its course: `decisions` are those on payments that came around it."""
    moments, timeline = judgement.moments, judgement.timeline
    return Result(
        drill=judgement.drill.name,
        passed=judgement.passed,
        lasted_seconds=round(moments.ended - moments.began, 3),
        detected_seconds=_rounded(timeline.detected),
        contained_seconds=_rounded(timeline.contained),
        restored_seconds=_rounded(timeline.restored),
        settled_seconds=_rounded(timeline.settled),
        age_p50_ms=_rounded(judgement.p50_ms),
        age_p99_ms=_rounded(judgement.p99_ms),
        decisions=judgement.decisions,
        without_model=judgement.without_model,
        fallback_reasons=judgement.reasons,
        checks=judgement.checks,
        course=tuple(_course(decisions, moments.began)),
    )


def written(result: Result) -> bytes:
    """One object."""
    return _encoder.encode(result)


def keep(path: Path, played: Round) -> None:
    """Add a round to the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(_encoder.encode(played) + b"\n")


def kept(path: Path) -> list[Round]:
    """Every round that the file holds; none where there is no file. Raises ResultsUnreadable."""
    if not path.exists():
        return []
    rounds = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            rounds.append(_decoder.decode(line))
        except msgspec.DecodeError as error:
            raise ResultsUnreadable(f"{path}, line {number}: {error}") from error
    return rounds


def missing(names: Sequence[str], times: int, rounds: Sequence[Round]) -> list[list[str]]:
    """The drills of each round that is still to be played, so that each was played so many times."""
    done = [each.drill for played in rounds for each in played.results]
    left = {name: times - done.count(name) for name in names}
    return [[name for name in names if left[name] > played] for played in range(max(left.values(), default=0))]


def _course(decisions: Iterable[Decided], began: float) -> Iterable[Step]:
    came: dict[int, list[Decided]] = {}
    for each in decisions:
        came.setdefault(floor((each.arrived - began) / STEP_SECONDS), []).append(each)
    for step, those in sorted(came.items()):
        age = percentile(sorted(each.age_seconds * 1000 for each in those), 0.99)
        without = sum(each.fallback_reason is not None for each in those) / len(those)
        yield Step(step * STEP_SECONDS, round(age or 0.0, 1), round(without, 4))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
