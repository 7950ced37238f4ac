"""`holdfast audit`: asks the topics whether every transaction ended exactly once, and prints the answer."""

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from streams.operating.context import settings_of
from streams.operating.durations import seconds_of, since_when

if TYPE_CHECKING:
    from rich.console import Console

    from streams.auditing.accounting import LedgerReport
    from streams.auditing.audit import Audit
    from streams.settings import Settings

FAILED = 1


def audit(
    ctx: typer.Context,
    *,
    since: Annotated[str | None, typer.Option(help="Only from then on: ISO 8601, UTC unless it says.")] = None,
    last: Annotated[float | None, typer.Option(parser=seconds_of, help="Only the last while: 90s, 1h, 2d.")] = None,
    wait: Annotated[float, typer.Option(parser=seconds_of, help="For workers to finish what is there.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until SIGTERM: metrics and logs say what is unaccounted.")
    ] = False,
) -> None:
    """Check that every transaction ended exactly once: a decision, a dead letter or a recognised duplicate.

    Exit 0 if nothing is unaccounted for, decided twice or contradictory, else 1. What no worker has read yet is in
    flight and no failure. A repeat of a payment decided over an hour before the range shows as unaccounted.

    With --follow it counts what lies longer than audit.grace_seconds without an ending, from ten minutes ago on or as
    said, and from where the workers stand if that is earlier. It serves /metrics and logs to standard error; exit code
    70 means: start it again.
    """
    start = since_when(since, last)
    if follow:
        if as_json:
            raise typer.BadParameter("--follow has no end to print; see its metrics")
        from streams.auditing.following import run

        run(settings_of(ctx), start)
        return
    found = asyncio.run(_audited(settings_of(ctx), start, wait))
    if as_json:
        plain = asdict(found.ledger) | {"unreadable": found.unreadable, "holds": found.holds}
        typer.echo(json.dumps(plain))
    else:
        _print(found)
    if not found.holds:
        raise typer.Exit(FAILED)


async def _audited(settings: "Settings", since: float | None, wait_seconds: float) -> "Audit":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    from streams.auditing.audit import audit_topics

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Waiting for the workers", total=None)

        def read(records: int, total: int) -> None:
            bar.update(task, description="Reading", completed=records, total=total)

        return await audit_topics(settings, since=since, wait_seconds=wait_seconds, on_progress=read)


def _print(found: "Audit") -> None:
    from rich.console import Console
    from rich.table import Table

    ledger, console = found.ledger, Console(highlight=False)
    table = Table(box=None, show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    for name, count, good in (
        ("transactions", ledger.transactions, True),
        ("decided", ledger.decided, True),
        ("dead letters", ledger.dead_letters, True),
        ("duplicates", ledger.duplicates, True),
        ("in flight", ledger.in_flight, True),
        ("unaccounted", ledger.unaccounted, not ledger.unaccounted),
        ("decided twice", ledger.decided_twice, not ledger.decided_twice),
        ("contradictory", ledger.contradictory, not ledger.contradictory),
        ("unreadable", found.unreadable, not found.unreadable),
    ):
        table.add_row(name, f"{count:,}" if good else f"[bold red]{count:,}[/]")
    console.print(table)
    _print_samples(console, ledger)
    if found.holds:
        console.print("[green]✓[/green] Every transaction that was read ended exactly once.")
    else:
        console.print("[red]✗[/red] Not every transaction ended exactly once.")


def _print_samples(console: "Console", ledger: "LedgerReport") -> None:
    for what, samples in (
        ("unaccounted", ledger.unaccounted_samples),
        ("contradictory", ledger.contradictory_samples),
    ):
        for sample in samples:
            named = sample.transaction_id or "no readable id"
            console.print(f"[red]{what}[/red] partition {sample.partition} offset {sample.offset}: {named}")
    for transaction_id in ledger.decided_twice_samples:
        console.print(f"[red]decided twice[/red] {transaction_id}")
