"""Snapshots that were tampered with by somebody who knows how."""

from dataclasses import replace

import numpy as np

from models.linear import LinearScorer
from models.snapshot import Probe, Snapshot


def probed(spoilt: Snapshot) -> Snapshot:
    """The same with probes that fit: what it says now is what it should say."""
    rows = np.array([each.features for each in spoilt.probes])
    with np.errstate(all="ignore"):
        told = LinearScorer(spoilt).score(rows).probabilities.tolist()
    probes = (
        Probe(features=each.features, fraud_probability=probability)
        for each, probability in zip(spoilt.probes, told, strict=True)
    )
    return replace(spoilt, probes=tuple(probes))
