"""A snapshot as it was written in format 1: every number in decimal digits."""

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from models.fingerprint import digest
from models.packed import DOUBLE, SINGLE, unpacked
from models.snapshot import Snapshot, to_plain

NOT_HASHED = ("model_version", "content_hash")


def in_format_1(snapshot: Snapshot) -> dict[str, Any]:
    """With the hash of its content."""
    plain = {
        **to_plain(snapshot),
        "format_version": 1,
        "columns": [list(astuple(column)) for column in snapshot.columns],
        "probes": [[list(probe.features), probe.fraud_probability] for probe in snapshot.probes],
        "sample": _in_digits(snapshot.sample, SINGLE),
    }
    del plain["part_hashes"]
    if snapshot.track_record is not None:
        plain["track_record"] = _in_digits(snapshot.track_record, DOUBLE)
    return with_hash(plain)


def with_hash(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The same with one hash over all but the version's name."""
    return {**plain, "content_hash": digest({name: part for name, part in plain.items() if name not in NOT_HASHED})}


def _in_digits(part: Any, kind: str) -> Any:
    if not isinstance(part, Mapping):
        return part
    if kind in part:
        return unpacked(part, kind).tolist()
    return {name: _in_digits(each, kind) for name, each in part.items()}
