"""Faults against a whole installation under load, and a judgement of what it did meanwhile.

    make chaos            # ten minutes
    make chaos-cluster    # ten minutes on three brokers, of which one at a time is killed
    cd tests && python -m chaos.campaign --help

Prints its seed; the same seed does the same faults in the same order. Ends with 1 if a promise was broken.
"""

import secrets
from pathlib import Path
from typing import Annotated

import typer
from chaos.leg import console
from chaos.order import Order
from chaos.schedule import FaultKind, possible
from chaos.telling import conclude, possible_here, run_and_tell


def main(
    seconds: Annotated[float, typer.Option(min=1, help="For so long faults are begun.")] = 480.0,
    seed: Annotated[int | None, typer.Option(help="Of an earlier run; else any.")] = None,
    rate: Annotated[float, typer.Option(min=1, help="Payments a second.")] = 500.0,
    twice: Annotated[float, typer.Option(min=0, max=1, help="Share of payments sent a second time.")] = 0.02,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    partitions: Annotated[int, typer.Option(min=1, help="Of each topic.")] = 4,
    brokers: Annotated[int, typer.Option(help="1, or 3 of which one at a time is killed.")] = 1,
    kind: Annotated[list[FaultKind] | None, typer.Option(help="Only these; may be repeated.")] = None,
    mutant: Annotated[str | None, typer.Option(help="Run a worker that is broken so: see chaos.mutants.")] = None,
    home: Annotated[Path | None, typer.Option(help="Keep history and logs here.")] = None,
) -> None:
    """Run a campaign."""
    chosen = secrets.randbelow(2**31) if seed is None else seed
    kinds = possible_here(kind or possible(brokers))
    if not kinds:
        raise typer.Exit(2)
    try:
        order = Order(
            seed=chosen,
            seconds=seconds,
            rate=rate,
            twice=twice,
            workers=workers,
            partitions=partitions,
            brokers=brokers,
            mutant=mutant,
            kinds=kinds,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    console.print(f"seed {chosen}, {rate:g} payments a second")
    raise typer.Exit(conclude(chosen, [run_and_tell(order, home)]))


if __name__ == "__main__":
    command = typer.Typer(pretty_exceptions_enable=False)
    command.command()(main)
    command()
