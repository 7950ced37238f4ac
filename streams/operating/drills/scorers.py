"""Drills of scorers that fail: each way of which `streams/wire/scorer_fault.py` knows, brought about for real."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING

from streams.operating.drills.drill import Act, Check, Drill, Expect, Moments, Where, nothing, nothing_more
from streams.wire.scorer_fault import FaultKind

if TYPE_CHECKING:
    from streams.operating.drills.evidence import Evidence
    from streams.operating.drills.stage import Stage

SLOW_MS, TRICKLE_MS = 200.0, 20.0
LASTS_SECONDS = 8.0  # where it goes on in each scorer that comes after
REPLACED_SECONDS = 5.0
OTHERS = 0.05  # of the payments of a second: one late batch is no scorer that is gone


def _fails(kind: FaultKind, *, delay_ms: float = 0.0, lasting: bool = True) -> Act:
    async def begins(stage: "Stage") -> None:
        await stage.misbehave(kind, delay_ms=delay_ms, lasting=lasting)

    return begins


_is_well = _fails(FaultKind.NONE)


def _is_replaced(evidence: "Evidence", moments: Moments) -> Iterator[Check]:
    """From when on payments that came were the model's again, nearly all of a second."""
    again = _deciding_again(evidence, moments)
    yield Check(
        expected=f"the model decides again within {REPLACED_SECONDS:g} s",
        holds=again is not None and again <= REPLACED_SECONDS,
        found="never" if again is None else f"{again:.2f} s",
    )


def _deciding_again(evidence: "Evidence", moments: Moments) -> float | None:
    """Seconds from the beginning; None: it was never so."""
    came = sorted(evidence.arrived_between(moments.began, moments.over), key=attrgetter("arrived"))
    arrived = [each.arrived for each in came]
    without = list(accumulate((each.fallback_reason is not None for each in came), initial=0))
    first = next((number for number, each in enumerate(came) if each.fallback_reason is not None), 0)
    for begin in range(first, len(came)):
        end = bisect_left(arrived, arrived[begin] + 1.0)
        if came[begin].fallback_reason is None and without[end] - without[begin] <= OTHERS * (end - begin):
            return arrived[begin] - moments.began
    return None


def _lasting(name: str, summary: str, reason: str, begins: Act) -> Drill:
    """Each scorer that comes is as bad."""
    return _drill(name, summary, reason, begins, ends=_is_well, lasts_seconds=LASTS_SECONDS)


def _once(name: str, summary: str, reason: str, kind: FaultKind) -> Drill:
    """The scorer that replaces it is well."""
    return _drill(name, summary, reason, _fails(kind, delay_ms=TRICKLE_MS, lasting=False), expects=_is_replaced)


def _drill(
    name: str,
    summary: str,
    reason: str,
    begins: Act,
    *,
    ends: Act = nothing,
    lasts_seconds: float = 5.0,
    expects: Expect = nothing_more,
) -> Drill:
    return Drill(
        name=name,
        summary=summary,
        where=Where.SANDBOX,
        begins=begins,
        ends=ends,
        lasts_seconds=lasts_seconds,
        reasons=frozenset({reason}),
        expects=expects,
    )


SCORERS = (
    _lasting(
        "slow-model",
        "Every answer of the model takes 200 ms longer.",
        "RESPONSE_TIMEOUT",
        _fails(FaultKind.SLEEP, delay_ms=SLOW_MS),
    ),
    _once(
        "hung-model",
        "Every scorer computes without an end, until it is killed.",
        "RESPONSE_TIMEOUT",
        FaultKind.SPIN,
    ),
    _once("trickling-model", "Answers come byte by byte.", "RESPONSE_TIMEOUT", FaultKind.TRICKLE),
    _once("dead-model", "Every scorer process ends.", "CONNECTION_ERROR", FaultKind.EXIT),
    _once("crashing-model", "Every scorer reads where nothing is.", "CONNECTION_ERROR", FaultKind.SEGFAULT),
    _once("hungry-model", "Every scorer takes 2 GB of memory.", "CONNECTION_ERROR", FaultKind.ALLOCATE),
    _lasting("raising-model", "The model raises an error.", "APPLICATION_ERROR", _fails(FaultKind.RAISE)),
    _lasting("nan-model", "The model's answers are no numbers.", "MODEL_INVALID_OUTPUT", _fails(FaultKind.NAN)),
    _lasting(
        "out-of-range-model",
        "The model's probabilities are 2.0.",
        "MODEL_INVALID_OUTPUT",
        _fails(FaultKind.OUT_OF_RANGE),
    ),
    _once(
        "short-model", "The model answers one row less than it was asked.", "MODEL_INVALID_OUTPUT", FaultKind.TOO_FEW
    ),
    _once(
        "confused-model", "The model gives the answer to the batch before.", "MODEL_INVALID_OUTPUT", FaultKind.PREVIOUS
    ),
)
