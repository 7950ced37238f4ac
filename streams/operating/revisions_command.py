"""`holdfast revisions`: what the model says of the decisions that were made without it."""

import asyncio
import json
from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from streams.operating.context import settings_of
from streams.operating.durations import seconds_of, since_when

if TYPE_CHECKING:
    from rich.table import Table

    from streams.reconciling.report import Kind, Sum

WAITING = 1


def revisions(
    ctx: typer.Context,
    *,
    since: Annotated[str | None, typer.Option(help="Only from then on: ISO 8601, UTC unless it says.")] = None,
    last: Annotated[float | None, typer.Option(parser=seconds_of, help="Only the last while: 90s, 1h, 2d.")] = None,
    wait: Annotated[float, typer.Option(parser=seconds_of, help="For the reconciler to score what is there.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")] = False,
) -> None:
    """Sum up what the model says of decisions made without it, by why that was, with their money.

    Reads decisions and their revisions from the topics. Exit 0 if every one was scored again, 1 if some wait for it.
    """
    start = since_when(since, last)

    from streams.reconciling.reading import reconciled

    found = asyncio.run(reconciled(settings_of(ctx), since=start, wait_seconds=wait))
    sums = found.sums()
    if as_json:
        typer.echo(json.dumps({"waiting": found.waiting, "sums": [asdict(kind) | asdict(sums[kind]) for kind in sums]}))
    else:
        from rich.console import Console

        console = Console(highlight=False)
        if sums:
            console.print(table(sums))
        done = sum(each.decisions for each in sums.values()) - found.waiting
        console.print(f"{done:,} decisions made without the model were scored again, {found.waiting:,} wait for it.")
    if found.waiting:
        raise typer.Exit(WAITING)


def table(sums: "dict[Kind, Sum]", *, money: bool = True) -> "Table":
    """Why down, findings across: how many, and with `money` a row for each currency and amounts below the counts."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from streams.operating.showing import money as in_words
    from streams.reconciling.report import Finding, Sum

    rows: defaultdict[tuple[str, str], dict[Finding, Sum]] = defaultdict(lambda: {each: Sum() for each in Finding})
    for kind, each in sums.items():
        cell = rows[kind.fallback_reason, kind.currency if money else ""][kind.finding]
        cell.decisions += each.decisions
        cell.amount_minor += each.amount_minor
        cell.saved_minor += each.saved_minor
    shown = [each for each in Finding if any(row[each].decisions for row in rows.values())]
    grid = Table(box=SIMPLE_HEAD)
    grid.add_column("without the model", no_wrap=True)
    for finding in shown:
        grid.add_column(finding.replace("_", " "), justify="right")
    if money:
        grid.add_column("model saves", justify="right")
    for (reason, currency), row in rows.items():
        cells = [f"{row[each].decisions:,}" if row[each].decisions else "[dim]-[/dim]" for each in shown]
        if money:
            amounts = [in_words(row[each].amount_minor, currency) if row[each].decisions else "" for each in shown]
            cells = [f"{cell}\n[dim]{amount}[/dim]" for cell, amount in zip(cells, amounts, strict=True)]
            cells.append(in_words(sum(each.saved_minor for each in row.values()), currency))
        grid.add_row(reason, *cells)
    return grid
