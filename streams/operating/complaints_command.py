"""`holdfast complaints`: how often people complained of what was stopped, and how often they were right."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from models.daily import SECONDS_PER_DAY
from streams.operating.context import settings_of
from streams.operating.durations import seconds_of, since_when

if TYPE_CHECKING:
    from rich.table import Table

    from rules.complaint import ComplaintFigures


class By(StrEnum):
    """What figures are told by."""

    SOURCE = "source"
    MODEL = "model"


def complaints(
    ctx: typer.Context,
    *,
    by: Annotated[By, typer.Option(help="Who stopped the payments, or which model version.")] = By.SOURCE,
    since: Annotated[
        str | None, typer.Option(help="Payments stopped from then on: ISO 8601, UTC unless it says.")
    ] = None,
    last: Annotated[
        float | None, typer.Option(parser=seconds_of, help="Payments stopped in the last while; 30d unless said.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")] = False,
) -> None:
    """Say how often people complained of payments that were stopped, how often they were right, and how long it took.

    Reads the console's store.
    """
    start = since_when(since, 30.0 * SECONDS_PER_DAY if since is None and last is None else last) or 0.0

    from streams.reviewing.complaints import Complaints, Grouping
    from streams.reviewing.database import connect

    grouping = Grouping.SOURCE if by is By.SOURCE else Grouping.MODEL_VERSION
    settings = settings_of(ctx)
    engine = connect(settings.console.store_url)
    found = Complaints(engine, settings.version).figures(grouping, datetime.fromtimestamp(start, UTC))
    engine.dispose()
    if as_json:
        typer.echo(json.dumps({name: _with_rates(each) for name, each in sorted(found.items())}))
        return
    from rich.console import Console

    Console(highlight=False).print(table(found, by))


def table(figures: "dict[str, ComplaintFigures]", by: By) -> "Table":
    """A row for each, those with most complaints first."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    grid = Table(box=SIMPLE_HEAD)
    grid.add_column("stopped by" if by is By.SOURCE else "model", no_wrap=True)
    for column in ("payments", "complaints", "per 1,000", "upheld", "rejected", "upheld of settled", "median hours"):
        grid.add_column(column, justify="right")
    for name, each in sorted(figures.items(), key=lambda pair: (-pair[1].received, pair[0])):
        grid.add_row(
            name,
            f"{each.stopped:,}",
            f"{each.received:,}",
            "-" if each.per_thousand is None else f"{each.per_thousand:.1f}",
            f"{each.upheld:,}",
            f"{each.rejected:,}",
            "-" if each.upheld_share is None else f"{each.upheld_share:.0%}",
            "-" if each.median_seconds is None else f"{each.median_seconds / 3600:.1f}",
        )
    return grid


def _with_rates(figures: "ComplaintFigures") -> dict[str, object]:
    return asdict(figures) | {"per_thousand": figures.per_thousand, "upheld_share": figures.upheld_share}
