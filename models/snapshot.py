"""The snapshot: a whole model as plain data, never a pickle. What the learner publishes and the scorers load."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from models.earlier_snapshots import EARLIER_VERSION, upgraded
from models.fingerprint import digest
from models.hinges import Hinges
from models.packed import packed, unpacked
from models.trees import Trees

FORMAT_VERSION = 2
BOUND = 10.0  # standard deviations; a column further out counts as this far, in learning and in scoring
_LEARNERS = ("sample", "forest", "label_offsets")  # nine tenths of all bytes; scorers are not given them
_NOT_HASHED = ("model_version", "content_hash")
_NUMBERS = attrgetter("count", "mean", "variance", "weight", "scored_weight", "gradient_squares")  # of a column


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A row of features and the fraud probability that the model gave it when the snapshot was taken."""

    features: tuple[float, ...]
    fraud_probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything to score with a model and to go on learning. `columns` follow `hinges.columns`.

    `label_offsets` is the learner's own: how far it had read when the model was in this state. `sample` is
    `models.sample.Sample` in plain form; both are empty in what was read for a scorer. `track_record` is
    `models.track_record.TrackRecord`, or None. `trees` add to the log-odds, None where there is no forest; `forest` is
    `models.forest.Forest` in plain form, from which more of them grow, None where there is none or nobody is to learn.
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
    trees: Trees | None = None
    forest: Mapping[str, Any] | None = None


def to_plain(snapshot: Snapshot) -> dict[str, Any]:
    """Builtins only, with their hashes; floats survive JSON bit by bit."""
    return sealed(_plain(snapshot))


def sealed(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The same with hashes of the learner's parts, and one of all else, them included, but the version's name."""
    whole = {**plain, "part_hashes": _part_hashes(plain)}
    return {**whole, "content_hash": _hash(whole)}


def for_scoring(plain: Mapping[str, Any]) -> dict[str, Any]:
    """What a scorer needs of what `to_plain` wrote; of the format of before, all of it."""
    left_out = () if plain.get("format_version") == EARLIER_VERSION else _LEARNERS
    return {name: part for name, part in plain.items() if name not in left_out}


def from_plain(plain: Mapping[str, Any], *, to_learn: bool = True) -> Snapshot:
    """The snapshot that `to_plain` wrote, now or before. Raises SnapshotInvalid for all else and altered content.

    If nobody is to learn on from it, it is read without the learner's parts, whether they are there or not.
    """
    version = plain.get("format_version")
    if version not in (EARLIER_VERSION, FORMAT_VERSION):
        raise SnapshotInvalid(f"format {version!r} is not {FORMAT_VERSION}")
    if plain.get("content_hash") != _hash(plain):
        raise SnapshotInvalid("the content does not match its hash")
    if to_learn and version == FORMAT_VERSION and plain.get("part_hashes") != _part_hashes(plain):
        raise SnapshotInvalid("a learner's part is missing, or does not match its hash")
    try:
        if version == EARLIER_VERSION:
            plain = upgraded(plain)
        return Snapshot(
            model_version=str(plain["model_version"]),
            labels=int(plain["labels"]),
            frauds=int(plain["frauds"]),
            bend_at=int(plain["bend_at"]),
            iterations=int(plain["iterations"]),
            intercept=float(plain["intercept"]),
            scored_intercept=float(plain["scored_intercept"]),
            hinges=Hinges(names=tuple(plain["features"]), knots=tuple(tuple(knots) for knots in plain["knots"])),
            columns=tuple(_column(*values) for values in unpacked(plain["columns"]).tolist()),
            probes=tuple(
                Probe(features=tuple(features), fraud_probability=told)
                for *features, told in unpacked(plain["probes"]).tolist()
            ),
            sample=plain["sample"] if to_learn else {},
            label_offsets=plain["label_offsets"] if to_learn else {},
            track_record=plain.get("track_record"),
            trees=Trees.from_plain(plain["trees"], of=len(plain["features"])) if "trees" in plain else None,
            forest=plain.get("forest") if to_learn else None,
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise SnapshotInvalid(f"not a snapshot: {error!r}") from error


def content_hash(snapshot: Snapshot) -> str:
    """32 hexadecimal digits over all content but the version's name."""
    return str(to_plain(snapshot)["content_hash"])


def probability(log_odds: float) -> float:
    """Logistic function, safe for any finite log-odds."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-min(log_odds, 700.0)))
    grown = math.exp(max(log_odds, -700.0))
    return grown / (1.0 + grown)


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
        "columns": packed(np.array([_NUMBERS(column) for column in snapshot.columns], dtype=np.float64)),
        "probes": packed(
            np.array([(*probe.features, probe.fraud_probability) for probe in snapshot.probes], dtype=np.float64)
        ),
        "sample": snapshot.sample,
        "label_offsets": snapshot.label_offsets,
    }
    optional = {
        "track_record": snapshot.track_record,
        "trees": None if snapshot.trees is None else snapshot.trees.to_plain(),
        "forest": snapshot.forest,
    }
    return plain | {name: each for name, each in optional.items() if each is not None}


def _column(
    count: float, mean: float, variance: float, weight: float, scored_weight: float, gradient_squares: float
) -> Column:
    return Column(
        count=int(count),
        mean=mean,
        variance=variance,
        weight=weight,
        scored_weight=scored_weight,
        gradient_squares=gradient_squares,
    )


def _part_hashes(plain: Mapping[str, Any]) -> dict[str, str]:
    return {name: digest(plain[name]) for name in _LEARNERS if name in plain}


def _hash(plain: Mapping[str, Any]) -> str:
    return digest({name: part for name, part in for_scoring(plain).items() if name not in _NOT_HASHED})
