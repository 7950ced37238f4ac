"""Faults against a whole installation under load, and a judgement of what it did meanwhile.

    make chaos            # ten minutes
    make chaos-long       # every fault as often as the product's acceptance wants it; hours
    cd tests && python -m chaos.campaign --help

Prints its seed; the same seed does the same faults in the same order. Ends with 1 if a promise was broken.
"""

import asyncio
import secrets
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from chaos.leg import Order, run
from chaos.outcome import Outcome
from chaos.plan import legs
from chaos.results import keep, kept
from chaos.schedule import CAMPAIGN, FaultKind
from chaos.table import markdown
from rich.console import Console

console = Console(highlight=False, soft_wrap=True)


def main(
    seconds: Annotated[float, typer.Option(min=1, help="For so long faults are begun.")] = 480.0,
    seed: Annotated[int | None, typer.Option(help="Of an earlier run; else any.")] = None,
    rate: Annotated[float, typer.Option(min=1, help="Payments a second.")] = 500.0,
    twice: Annotated[float, typer.Option(min=0, max=1, help="Share of payments sent a second time.")] = 0.02,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 3,
    partitions: Annotated[int, typer.Option(min=1, help="Of each topic.")] = 6,
    kind: Annotated[list[FaultKind] | None, typer.Option(help="Only these; may be repeated.")] = None,
    mutant: Annotated[str | None, typer.Option(help="Run a worker that is broken so: see chaos.mutants.")] = None,
    home: Annotated[Path | None, typer.Option(help="Keep history and logs here.")] = None,
    everything: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The whole campaign, in legs; their results are added here, and legs in it are done."
        ),
    ] = None,
) -> None:
    """Run a campaign."""
    before = kept(everything) if everything else []
    chosen = before[0].campaign if before else secrets.randbelow(2**31) if seed is None else seed
    console.print(f"seed {chosen}, {rate:g} payments a second")
    kinds = tuple(kind or FaultKind)
    order = Order(
        seed=chosen,
        seconds=seconds,
        rate=rate,
        twice=twice,
        workers=workers,
        partitions=partitions,
        mutant=mutant,
        kinds=kinds,
    )
    if everything is None:
        outcomes = [_run(order, home)]
    else:
        for leg in legs(chosen, {each: CAMPAIGN[each] for each in kinds}):
            if leg.name not in {each.leg for each in before}:
                console.print(f"\n{leg.name}: seed {leg.seed}, {len(leg.faults)} faults")
                its = replace(order, seed=leg.seed, seconds=None, twice=leg.twice, exactly=leg.faults)
                keep(everything, chosen, leg, rate, _run(its, home and home / leg.name.replace(" ", "-")))
        outcomes = [each.outcome for each in kept(everything)]
    held = all(each.holds for each in outcomes)
    console.print(f"\n{markdown(outcomes)}\n\nseed {chosen}: {'all promises held' if held else 'BROKEN'}")
    raise typer.Exit(0 if held else 1)


def _run(order: Order, home: Path | None) -> Outcome:
    """Run it, and say what was broken."""
    with tempfile.TemporaryDirectory(prefix="holdfast-chaos-") as scratch:
        if home is not None:
            home.mkdir(parents=True, exist_ok=True)
        outcome = asyncio.run(run(order, home or Path(scratch)))
    for promise, sentences in outcome.verdict.broken.items():
        console.print(f"{promise}: broken {outcome.verdict.counts[promise]} times")
        for sentence in sentences:
            console.print(f"  - {sentence}")
    return outcome


if __name__ == "__main__":
    command = typer.Typer(pretty_exceptions_enable=False)
    command.command()(main)
    command()
