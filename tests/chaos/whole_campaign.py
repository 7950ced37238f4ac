"""Every fault as often as the product's acceptance wants it, in legs of some minutes.

    make chaos-long       # hours
    cd tests && python -m chaos.whole_campaign --help

What came of each leg is kept in a file. A campaign that was ended goes on with the legs that the file does not hold.
"""

import secrets
from pathlib import Path
from typing import Annotated

import typer
from chaos.leg import console
from chaos.order import Order
from chaos.plan import lasts, legs
from chaos.results import keep, kept
from chaos.schedule import CAMPAIGN, FaultKind
from chaos.telling import conclude, possible_here, run_and_tell

MARGIN, MARGIN_SECONDS = 2.0, 300.0  # a leg may take longer than it is planned


def main(
    results: Annotated[Path, typer.Argument(help="Where what came of each leg is kept, one JSON object a line.")],
    seed: Annotated[int | None, typer.Option(help="Of a campaign to begin; one that goes on has its own.")] = None,
    rate: Annotated[float, typer.Option(min=1, help="Payments a second.")] = 1000.0,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    partitions: Annotated[int, typer.Option(min=1, help="Of each topic.")] = 4,
    most: Annotated[int, typer.Option(min=1, help="So many legs, and no more this time.")] = 1000,
    home: Annotated[Path | None, typer.Option(help="Keep history and logs of each leg here.")] = None,
) -> None:
    """Run the legs that are not done, and show the table of all that are."""
    done = kept(results)
    chosen = done[0].campaign if done else secrets.randbelow(2**31) if seed is None else seed
    counts = {kind: CAMPAIGN[kind] for kind in possible_here(FaultKind)}
    planned = legs(chosen, counts)
    missing = [leg for leg in planned if leg.name not in {each.leg for each in done}]
    console.print(f"seed {chosen}, {rate:g} payments a second, {len(missing)} of {len(planned)} legs to do")
    for leg in missing[:most]:
        console.print(f"\n{leg.name}: seed {leg.seed}, {len(leg.faults)} faults")
        order = Order(
            seed=leg.seed,
            seconds=MARGIN_SECONDS + MARGIN * sum(map(lasts, leg.faults)),
            rate=rate,
            twice=leg.twice,
            workers=workers,
            partitions=partitions,
            brokers=leg.brokers,
            exactly=leg.faults,
        )
        keep(results, chosen, leg, rate, run_and_tell(order, home and home / leg.name.replace(" ", "-")))
    raise typer.Exit(conclude(chosen, [each.outcome for each in kept(results)]))


if __name__ == "__main__":
    command = typer.Typer(pretty_exceptions_enable=False)
    command.command()(main)
    command()
