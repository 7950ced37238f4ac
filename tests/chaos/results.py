"""Outcomes kept in a file, one JSON object a line: a campaign may go on where it ended, and be read by others."""

import platform
import subprocess
from pathlib import Path

import msgspec
from chaos.outcome import Outcome
from chaos.plan import Leg

from streams.operating.machine import cores_and_processor


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a leg, of which code, and where."""

    campaign: int  # the seed of the whole
    leg: str
    seed: int
    rate: float  # payments a second
    revision: str
    machine: str
    outcome: Outcome


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Result)


def keep(path: Path, campaign: int, leg: Leg, rate: float, outcome: Outcome) -> None:
    """Add the outcome of a leg to the file."""
    result = Result(
        campaign=campaign,
        leg=leg.name,
        seed=leg.seed,
        rate=rate,
        revision=_revision(),
        machine=_machine(),
        outcome=outcome,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(_encoder.encode(result) + b"\n")


def kept(path: Path) -> list[Result]:
    """Every result that the file holds; none where there is no file."""
    return [_decoder.decode(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def _revision() -> str:
    """Of the code: the commit, and whether files differ from it."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "unknown"


def _machine() -> str:
    return f"{cores_and_processor()}, Python {platform.python_version()}"
