"""Snapshots in the format of before: read, never written. It had every number in decimal digits."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.packed import SINGLE, packed
from models.sample import told_apart

EARLIER_VERSION = 1


def upgraded(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The same in the format of now, but for its hash. Raises KeyError, TypeError or ValueError for what is none."""
    rows = [[*features, probability] for features, probability in plain["probes"]]
    now = {
        **plain,
        "columns": packed(np.array(plain["columns"], dtype=np.float64)),
        "probes": packed(np.array(rows, dtype=np.float64)),
        "sample": {name: _reservoir(plain["sample"][name]) for name in ("all", "fraud")},
    }
    record = plain.get("track_record")
    if record is not None:
        outcomes = {wanted: _weights(each) for wanted, each in dict(record["outcomes"]).items()}
        now["track_record"] = {**record, "outcomes": outcomes}
    return now


def _reservoir(part: Mapping[str, Any]) -> dict[str, Any]:
    rows = np.array(part["rows"], dtype=np.float64)
    return {"seen": part["seen"], "rows": packed(told_apart(rows), SINGLE)}


def _weights(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: packed(np.array(plain[name], dtype=np.float64)) for name in ("fraud", "legitimate")}
