"""Processes of a campaign find the modules of this folder wherever they are started."""

import os
from collections.abc import Mapping
from pathlib import Path

TESTS = str(Path(__file__).parents[1])


def with_chaos(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that imports `chaos`."""
    places = (TESTS, *filter(None, (environment.get("PYTHONPATH"),)))
    return {**environment, "PYTHONPATH": os.pathsep.join(places)}
