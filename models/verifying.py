"""Whether a snapshot may score: whoever takes one from elsewhere asks here before anything is scored with it."""

import math

import numpy as np

from models.features import FEATURES
from models.linear import LinearScorer
from models.snapshot import Snapshot, SnapshotInvalid

_PROBE_TOLERANCE = 1e-9
_MOST = 1e15  # no sum of products of such numbers overflows


def verify(snapshot: Snapshot) -> LinearScorer:
    """The scorer of a snapshot that may score: the probes are put to what will be asked for all else.

    Raises SnapshotInvalid unless names fit this release, every number is finite and every probe is reproduced.
    """
    if snapshot.hinges.names != FEATURES:
        raise SnapshotInvalid("its features are not those of this release")
    if len(snapshot.columns) != len(snapshot.hinges.columns):
        raise SnapshotInvalid(f"{len(snapshot.columns)} columns for {len(snapshot.hinges.columns)} hinges and features")
    _verify_finite(snapshot)
    _verify_trees(snapshot)
    try:
        scorer = LinearScorer(snapshot)
    except (KeyError, TypeError, ValueError) as error:
        raise SnapshotInvalid(f"its track record is none: {error!r}") from error
    _verify_probes(snapshot, scorer)
    return scorer


def _verify_finite(snapshot: Snapshot) -> None:
    numbers = [snapshot.intercept, snapshot.scored_intercept]
    numbers += [knot for knots in snapshot.hinges.knots for knot in knots]
    for column in snapshot.columns:
        numbers += (column.mean, column.variance, column.weight, column.scored_weight, column.gradient_squares)
        if column.variance < 0 or column.gradient_squares < 0 or column.count < 0:
            raise SnapshotInvalid("a variance, sum of squares or count is negative")
    if not all(math.isfinite(number) for number in numbers):
        raise SnapshotInvalid("a number is not finite")
    if not all(-_MOST < number < _MOST for number in numbers):
        raise SnapshotInvalid("a number is beyond anything that is learnt")


def _verify_trees(snapshot: Snapshot) -> None:
    if snapshot.trees is None and snapshot.forest is not None:
        raise SnapshotInvalid("a forest without trees")
    try:
        if snapshot.trees is not None:
            snapshot.trees.verify(of=len(FEATURES))
    except ValueError as error:
        raise SnapshotInvalid(str(error)) from error


def _verify_probes(snapshot: Snapshot, scorer: LinearScorer) -> None:
    if not snapshot.probes:
        return
    if any(len(probe.features) != len(FEATURES) for probe in snapshot.probes):
        raise SnapshotInvalid("a probe is malformed")
    rows = np.array([probe.features for probe in snapshot.probes], dtype=np.float64)
    if not np.isfinite(rows).all():
        raise SnapshotInvalid("a probe is malformed")
    for told, probe in zip(scorer.score(rows).probabilities.tolist(), snapshot.probes, strict=True):
        if not abs(told - probe.fraud_probability) <= _PROBE_TOLERANCE:
            raise SnapshotInvalid(f"a probe gives {told!r}, not {probe.fraud_probability!r}")
