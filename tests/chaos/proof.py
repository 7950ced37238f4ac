"""Proves the checker: every mutant must be flagged, and by the promise that it breaks; clean runs must be clean.

cd tests && python -m chaos.proof --clean 20
"""

import secrets
import time
from typing import Annotated

import typer
from chaos.leg import console
from chaos.mutants import MUTANTS
from chaos.order import Order
from chaos.outcome import Outcome
from chaos.schedule import FaultKind
from chaos.telling import run_here

CLEAN_FAULTS = (FaultKind.KILL_WORKER, FaultKind.KILL_SCORER, FaultKind.TERMINATE_WORKER)
SECONDS = 600.0  # a mutant may keep its partitions from coming back; the run ends then


def main(
    name: Annotated[list[str] | None, typer.Argument(help="Only these mutants.")] = None,
    clean: Annotated[int, typer.Option(min=0, help="So many runs of the product as it is, after the mutants.")] = 2,
    seed: Annotated[int | None, typer.Option()] = None,
    rate: Annotated[float, typer.Option(min=1)] = 200.0,
) -> None:
    """Run every mutant once, then the product itself."""
    chosen = secrets.randbelow(2**31) if seed is None else seed
    console.print(f"seed {chosen}")
    wrong = 0
    for each in name or MUTANTS:
        mutant = MUTANTS[each]
        flagged = _broken(_run(chosen, rate, each, mutant.faults))
        caught = bool(flagged & mutant.promises)
        wrong += not caught
        console.print(f"{each:20} {'flagged' if caught else 'MISSED':8} {mutant.breaks}: {', '.join(sorted(flagged))}")
    for number in range(clean):
        outcome = _run(chosen + number, rate, None, CLEAN_FAULTS)
        wrong += not outcome.holds
        console.print(f"{'clean ' + str(number + 1):20} {'held' if outcome.holds else 'FALSE ALARM'} {_said(outcome)}")
    raise typer.Exit(1 if wrong else 0)


def _run(seed: int, rate: float, name: str | None, faults: tuple[FaultKind, ...]) -> Outcome:
    order = Order(
        seed=seed,
        seconds=SECONDS,
        rate=rate,
        twice=MUTANTS[name].twice if name else 0.05,
        workers=2,
        partitions=4,
        mutant=name,
        exactly=faults,
        calm_seconds=6.0,
        settle_seconds=10.0 if name else 60.0,
    )
    began = time.monotonic()
    outcome = run_here(order)
    console.print(f"{'':20} {time.monotonic() - began:.0f} s, {outcome.inputs:,} records", style="dim")
    return outcome


def _broken(outcome: Outcome) -> set[str]:
    return set(outcome.verdict.broken)


def _said(outcome: Outcome) -> str:
    return "; ".join(f"{promise}: {sentences[0]}" for promise, sentences in outcome.verdict.broken.items())


if __name__ == "__main__":
    command = typer.Typer(pretty_exceptions_enable=False)
    command.command()(main)
    command()
