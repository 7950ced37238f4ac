"""The exam that a model sits before it may decide, against the champion.

On the latest payments whose outcome is known: both have learnt most of them, so it is no measure of quality. And on the
latest payments of all, of which nothing is known yet: what judges the past well may still be strange today. It is there
to fail what is inverted, constant, slow or spoilt, before a single payment meets it. What is a little worse passes, and
is for labels to tell.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from models.evaluation import average_precision
from models.examples import unpacked_rows
from models.hinges import Matrix
from models.linear import LinearScorer
from models.snapshot import Snapshot, SnapshotInvalid
from models.verifying import verify

ROWS, FRAUD_ROWS = 4_000, 500
LEAST_ROWS, LEAST_FRAUDS = 200, 10  # below these nobody is held against anybody
WORSE_PRECISION = 0.1  # average precision below the champion's, or
WORSE_LOSS = 1.5  # log loss as a multiple of the champion's
CONSTANT = 1e-4  # standard deviation of log-odds
SLOW_SECONDS = 0.005  # of a processor, for BATCH rows, and
SLOW_TIMES = 3.0  # what the champion takes
BATCH = 100
LIVE = 2_000  # latest payments
SETTLED_LABELS = 20_000  # learnt by a champion: until then a model that differs from it much may well be better
STRANGE_MEAN = 3.0, 0.01  # the mean probability of latest payments: times the champion's, and this
STRANGE_CORRELATION = 0.5  # of log-odds with the champion's, on the latest payments
_TRIES = 5
_LEAST = 1e-6


class Refusal(StrEnum):
    """Why a model may not decide."""

    UNSOUND = "UNSOUND"  # it does not verify
    CONSTANT = "CONSTANT"
    WORSE = "WORSE"
    SLOW = "SLOW"
    STRANGE = "STRANGE"  # on today's payments


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether it passed, and what was measured: average precision, log loss, seconds of a processor for BATCH rows."""

    refusal: Refusal | None
    measured: dict[str, float] = field(default_factory=dict)
    why: str = ""


class Exam:
    """The newest ROWS labelled rows, and the newest FRAUD_ROWS frauds.

    `clock` is in seconds, of any beginning: of the processor's time, so that a busy machine makes no model slow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rows: deque[tuple[Sequence[float], bool]] = deque(maxlen=ROWS)
        self._frauds: deque[Sequence[float]] = deque(maxlen=FRAUD_ROWS)
        self._live: deque[bytes] = deque(maxlen=LIVE)

    def add(self, features: Sequence[float], *, is_fraud: bool) -> None:
        """Take in a finite row of features with what it turned out to be."""
        self._rows.append((features, is_fraud))
        if is_fraud:
            self._frauds.append(features)

    def saw(self, packed: bytes) -> None:
        """Take in the features of a payment that was just decided, packed as float64."""
        self._live.append(packed)

    def judge(self, candidate: Snapshot, champion: Snapshot | None) -> Verdict:
        """Examine a candidate. The champion, where there is one, must be sound."""
        try:
            scorer = verify(candidate)
        except SnapshotInvalid as error:
            return Verdict(refusal=Refusal.UNSOUND, why=str(error))
        if champion is None:
            return Verdict(refusal=None)
        scorers = {"champion": LinearScorer(champion), "candidate": scorer}
        measured: dict[str, float] = {}
        if len(self._rows) >= LEAST_ROWS and len(self._frauds) >= LEAST_FRAUDS:
            measured |= self._on_outcomes(scorers)
        if len(self._live) >= LEAST_ROWS and champion.labels >= SETTLED_LABELS:
            measured |= self._on_latest(scorers)
        return Verdict(refusal=_refusal(measured), measured=measured)

    def _sheet(self) -> tuple[Matrix, NDArray[np.bool_]]:
        """Rows and outcomes. Frauds that are in both come twice: what counts is who does better on the same sheet."""
        rows = [row for row, _ in self._rows] + list(self._frauds)
        outcomes = [is_fraud for _, is_fraud in self._rows] + [True] * len(self._frauds)
        return np.array(rows, dtype=np.float64), np.array(outcomes)

    def _on_outcomes(self, scorers: Mapping[str, LinearScorer]) -> dict[str, float]:
        rows, is_fraud = self._sheet()
        measured = {}
        for whose, scorer in scorers.items():
            probability = scorer.score(rows).probabilities
            measured[f"{whose}_average_precision"] = average_precision(is_fraud, probability)
            measured[f"{whose}_log_loss"] = _log_loss(is_fraud, probability)
            measured[f"{whose}_spread"] = _spread(probability)
            measured[f"{whose}_seconds"] = self._seconds(scorer, rows[:BATCH])
        return measured

    def _on_latest(self, scorers: Mapping[str, LinearScorer]) -> dict[str, float]:
        rows = unpacked_rows(self._live)
        told = {whose: _bounded(scorer.score(rows).probabilities) for whose, scorer in scorers.items()}
        means = {f"{whose}_mean": float(each.mean()) for whose, each in told.items()}
        log_odds = [np.log(each / (1 - each)) for each in told.values()]
        if min(map(np.std, log_odds)) < CONSTANT:
            return means
        return means | {"correlation": float(np.corrcoef(log_odds)[0, 1])}

    def _seconds(self, scorer: LinearScorer, rows: Matrix) -> float:
        """Of the try that was disturbed the least."""
        taken = []
        for _ in range(_TRIES):
            began = self._clock()
            scorer.score(rows)
            taken.append(self._clock() - began)
        return min(taken)


def _refusal(measured: Mapping[str, float]) -> Refusal | None:
    if "candidate_log_loss" in measured and (refusal := _of_outcomes(measured)):
        return refusal
    return Refusal.STRANGE if "candidate_mean" in measured and _is_strange(measured) else None


def _of_outcomes(measured: Mapping[str, float]) -> Refusal | None:
    if measured["candidate_spread"] < CONSTANT <= measured["champion_spread"]:
        return Refusal.CONSTANT
    if (
        measured["candidate_average_precision"] < measured["champion_average_precision"] - WORSE_PRECISION
        or measured["candidate_log_loss"] > WORSE_LOSS * measured["champion_log_loss"]
    ):
        return Refusal.WORSE
    if measured["candidate_seconds"] > max(SLOW_SECONDS, SLOW_TIMES * measured["champion_seconds"]):
        return Refusal.SLOW
    return None


def _is_strange(measured: Mapping[str, float]) -> bool:
    times, beyond = STRANGE_MEAN
    return (
        measured["candidate_mean"] > times * measured["champion_mean"] + beyond
        or measured.get("correlation", 1.0) < STRANGE_CORRELATION
    )


def _bounded(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(probability, _LEAST, 1 - _LEAST)


def _log_loss(is_fraud: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    told = _bounded(probability)
    return float(-np.where(is_fraud, np.log(told), np.log1p(-told)).mean())


def _spread(probability: NDArray[np.float64]) -> float:
    told = _bounded(probability)
    return float(np.log(told / (1 - told)).std())
