"""Runs an order for somebody who watches."""

import asyncio
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from chaos.left_out import left_out
from chaos.leg import console, run
from chaos.order import Order
from chaos.outcome import Outcome
from chaos.schedule import FaultKind
from chaos.table import markdown


def possible_here(kinds: Iterable[FaultKind]) -> tuple[FaultKind, ...]:
    """Those that can be done on this machine; of the others it says why not."""
    asked = tuple(kinds)
    impossible = left_out(asked)
    for each, why in impossible.items():
        console.print(f"left out: {each}: {why}")
    return tuple(each for each in asked if each not in impossible)


def run_here(order: Order, home: Path | None = None) -> Outcome:
    """Run it below `home`, or where nothing is kept."""
    with tempfile.TemporaryDirectory(prefix="holdfast-chaos-") as scratch:
        if home is not None:
            home.mkdir(parents=True, exist_ok=True)
        return asyncio.run(run(order, home or Path(scratch)))


def run_and_tell(order: Order, home: Path | None) -> Outcome:
    """Run it, and say what was broken."""
    outcome = run_here(order, home)
    for promise, sentences in outcome.verdict.broken.items():
        console.print(f"{promise}: broken {outcome.verdict.counts[promise]} times")
        for sentence in sentences:
            console.print(f"  - {sentence}")
    return outcome


def conclude(seed: int, outcomes: Sequence[Outcome]) -> int:
    """Show the table and say whether all held; the exit code."""
    held = all(each.holds for each in outcomes)
    console.print(f"\n{markdown(outcomes)}\n\nseed {seed}: {'all promises held' if held else 'BROKEN'}")
    return 0 if held else 1
