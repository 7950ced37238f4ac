"""The snapshot: a whole model as plain data, never a pickle. What the learner publishes and the scorers load."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from models.features import FEATURES
from models.hinges import Hinges
from models.track_record import TrackRecord

FORMAT_VERSION = 1
BOUND = 10.0  # standard deviations; a column further out counts as this far, in learning and in scoring
_PROBE_TOLERANCE = 1e-9
_MOST = 1e15  # no sum of products of such numbers overflows


class SnapshotInvalid(ValueError):
    """A snapshot that must not score: malformed, altered, not finite, or not reproducing its own probes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column's scaler (count, mean, variance), its weight as learnt and as scored, and AdaGrad's sum."""

    count: int
    mean: float
    variance: float
    weight: float
    scored_weight: float
    gradient_squares: float

    def scaled(self, value: float) -> float:
        """Standard deviations from the mean, within BOUND."""
        if not self.variance:
            return 0.0
        return max(-BOUND, min((value - self.mean) / math.sqrt(self.variance), BOUND))


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A row of features and the fraud probability that the model gave it when the snapshot was taken."""

    features: tuple[float, ...]
    fraud_probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything to score with a model and to go on learning. `columns` follow `hinges.columns`.

    `label_offsets` is the learner's own: how far it had read when the model was in this state. `sample` is
    `models.sample.Sample` in plain form, `track_record` is `models.track_record.TrackRecord`, or None.
    """

    model_version: str
    labels: int
    frauds: int
    bend_at: int  # frauds at which hinges are added next
    iterations: int
    intercept: float
    scored_intercept: float
    hinges: Hinges
    columns: tuple[Column, ...]
    probes: tuple[Probe, ...]
    sample: Mapping[str, Any]
    label_offsets: Mapping[str, Any]
    track_record: Mapping[str, Any] | None = None  # None: of a release before there was one


def to_plain(snapshot: Snapshot) -> dict[str, Any]:
    """Builtins only, with the content hash; floats survive JSON bit by bit."""
    plain = _plain(snapshot)
    return {**plain, "content_hash": _hash(plain)}


def from_plain(plain: Mapping[str, Any]) -> Snapshot:
    """The snapshot that `to_plain` wrote. Raises SnapshotInvalid for another format or altered content."""
    if plain.get("format_version") != FORMAT_VERSION:
        raise SnapshotInvalid(f"format {plain.get('format_version')!r} is not {FORMAT_VERSION}")
    try:
        snapshot = Snapshot(
            model_version=str(plain["model_version"]),
            labels=int(plain["labels"]),
            frauds=int(plain["frauds"]),
            bend_at=int(plain["bend_at"]),
            iterations=int(plain["iterations"]),
            intercept=float(plain["intercept"]),
            scored_intercept=float(plain["scored_intercept"]),
            hinges=Hinges(names=tuple(plain["features"]), knots=tuple(tuple(knots) for knots in plain["knots"])),
            columns=tuple(_column(values) for values in plain["columns"]),
            probes=tuple(Probe(features=tuple(row), fraud_probability=p) for row, p in plain["probes"]),
            sample=plain["sample"],
            label_offsets=plain["label_offsets"],
            track_record=plain.get("track_record"),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise SnapshotInvalid(f"not a snapshot: {error!r}") from error
    if plain.get("content_hash") != content_hash(snapshot):
        raise SnapshotInvalid("the content does not match its hash")
    return snapshot


def content_hash(snapshot: Snapshot) -> str:
    """32 hexadecimal digits over all content but the version's name."""
    return _hash(_plain(snapshot))


def log_odds(snapshot: Snapshot, features: Sequence[float]) -> float:
    """Log-odds of fraud: the plain form that the compiled scorer is held against."""
    values = snapshot.hinges.expand(features)
    return snapshot.scored_intercept + sum(
        column.scored_weight * column.scaled(value) for column, value in zip(snapshot.columns, values, strict=True)
    )


def probability(log_odds: float) -> float:
    """Logistic function, safe for any finite log-odds."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-min(log_odds, 700.0)))
    grown = math.exp(max(log_odds, -700.0))
    return grown / (1.0 + grown)


def verify(snapshot: Snapshot) -> None:
    """Raise SnapshotInvalid unless names fit this release, every number is finite and every probe is reproduced."""
    if snapshot.hinges.names != FEATURES:
        raise SnapshotInvalid("its features are not those of this release")
    if len(snapshot.columns) != len(snapshot.hinges.columns):
        raise SnapshotInvalid(f"{len(snapshot.columns)} columns for {len(snapshot.hinges.columns)} hinges and features")
    _verify_finite(snapshot)
    _verify_track_record(snapshot)
    for probe in snapshot.probes:
        told = _probed(snapshot, probe)
        if not abs(told - probe.fraud_probability) <= _PROBE_TOLERANCE:
            raise SnapshotInvalid(f"a probe gives {told!r}, not {probe.fraud_probability!r}")


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


def _verify_track_record(snapshot: Snapshot) -> None:
    if snapshot.track_record is None:
        return
    try:
        TrackRecord.from_plain(snapshot.track_record)
    except (KeyError, TypeError, ValueError) as error:
        raise SnapshotInvalid(f"its track record is none: {error!r}") from error


def _probed(snapshot: Snapshot, probe: Probe) -> float:
    if len(probe.features) != len(FEATURES) or not all(math.isfinite(value) for value in probe.features):
        raise SnapshotInvalid("a probe is malformed")
    return probability(log_odds(snapshot, probe.features))


def _plain(snapshot: Snapshot) -> dict[str, Any]:
    plain = {
        "format_version": FORMAT_VERSION,
        "model_version": snapshot.model_version,
        "labels": snapshot.labels,
        "frauds": snapshot.frauds,
        "bend_at": snapshot.bend_at,
        "iterations": snapshot.iterations,
        "features": list(snapshot.hinges.names),
        "knots": [list(knots) for knots in snapshot.hinges.knots],
        "intercept": snapshot.intercept,
        "scored_intercept": snapshot.scored_intercept,
        "columns": [
            [
                column.count,
                column.mean,
                column.variance,
                column.weight,
                column.scored_weight,
                column.gradient_squares,
            ]
            for column in snapshot.columns
        ],
        "probes": [[list(probe.features), probe.fraud_probability] for probe in snapshot.probes],
        "sample": snapshot.sample,
        "label_offsets": snapshot.label_offsets,
    }
    return plain if snapshot.track_record is None else {**plain, "track_record": snapshot.track_record}


def _column(values: Sequence[Any]) -> Column:
    count, mean, variance, weight, scored_weight, gradient_squares = values
    return Column(
        count=int(count),
        mean=float(mean),
        variance=float(variance),
        weight=float(weight),
        scored_weight=float(scored_weight),
        gradient_squares=float(gradient_squares),
    )


def _hash(plain: Mapping[str, Any]) -> str:
    content = {key: value for key, value in plain.items() if key != "model_version"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).hexdigest()
