"""`holdfast simulate`: traffic of cards that do not exist, with its frauds and labels."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from streams.operating.context import settings_of
from streams.operating.durations import seconds_of

if TYPE_CHECKING:
    from streams.operating.simulating import OnProgress, SimulationReport


def simulate(
    ctx: typer.Context,
    *,
    rate: Annotated[float, typer.Option(min=0.1, help="Transactions a second.")] = 200.0,
    seconds: Annotated[
        float | None, typer.Option(parser=seconds_of, help="How long: 60, 5m. [default: no end]")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    time_compression: Annotated[
        float | None,
        typer.Option(
            min=0.001, help="Simulated seconds in a second; 1: as on the clock. [default: cards keep their habits]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed makes the same cards.")] = 1,
    cards: Annotated[int, typer.Option(min=1, help="How many cards pay.")] = 5_000,
    bad: Annotated[float, typer.Option(min=0.0, max=0.99, help="Share of bad records, of all kinds in turn.")] = 0.0,
    react: Annotated[bool, typer.Option(help="Labels follow decisions: wrong blocks are complained of.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")] = False,
) -> None:
    """Send simulated transactions, and labels when their simulated time comes.

    Event times end at the present, never ahead of it: a run of known length starts so much earlier; one without an
    end starts now at compression 1 and below, else 400 days ago, and ends when it has come to the present.
    """
    from models.simulator.policy import TrafficPolicy
    from streams.operating.simulating import simulate as sent

    latest: list[SimulationReport] = []
    with _bar(seconds, rate, count) as shown:

        def on_progress(report: "SimulationReport") -> None:
            latest[:] = [report]
            shown(report)

        run = sent(
            settings_of(ctx),
            rate=rate,
            seconds=seconds,
            count=count,
            time_compression=time_compression,
            seed=seed,
            policy=TrafficPolicy(cards=cards),
            bad=bad,
            react=react,
            on_progress=on_progress,
        )
        try:
            asyncio.run(run)
        except KeyboardInterrupt:  # as good an end as any other
            if not latest:
                raise typer.Exit from None
    _tell(latest[0], as_json=as_json)


@contextmanager
def _bar(seconds: float | None, rate: float, count: int | None) -> Iterator["OnProgress"]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    wanted = min((each for each in (count, seconds and seconds * rate) if each), default=None)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Simulating", total=wanted, said="")

        def shown(report: "SimulationReport") -> None:
            said = (
                f"{report.sent:,} sent, {report.sent / max(report.seconds, 1e-9):,.0f}/s, {report.labels_sent} labels"
            )
            bar.update(task, completed=report.sent, said=f"{said}, {report.simulated_to:%Y-%m-%d %H:%M}")

        yield shown


def _tell(report: "SimulationReport", *, as_json: bool) -> None:
    from rich.console import Console

    if as_json:
        typer.echo(json.dumps(asdict(report), default=lambda moment: moment.isoformat()))
        return
    console = Console(highlight=False)
    bad = f" and {report.bad_sent:,} bad records" if report.bad_sent else ""
    pace = report.sent / max(report.seconds, 1e-9)
    console.print(f"{report.sent:,} transactions{bad} sent in {report.seconds:.1f} s ({pace:,.0f} a second)")
    console.print(
        f"{report.frauds:,} frauds; {report.labels_sent:,} labels sent, {report.labels_pending:,} not yet due"
    )
    console.print(f"simulated time {report.simulated_from:%Y-%m-%d %H:%M} to {report.simulated_to:%Y-%m-%d %H:%M} UTC")
    if report.reached_present:
        console.print("[yellow]Simulated time has come to the present: ended.[/yellow]")
