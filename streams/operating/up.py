"""`holdfast up`: everything on one machine, kept running until Ctrl-C."""

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.operating.context import settings_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.panel import Panel

    from streams.operating.installation import Installation, Plan

RECENT_SECONDS = 5.0
REDRAW_SECONDS = 0.5


def up(
    ctx: typer.Context,
    *,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many: one per core is plenty.")] = 1,
    simulate: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="RATE", help="Send simulated traffic, so many transactions a second."),
    ] = None,
    kafka: Annotated[
        bool, typer.Option("--kafka/--no-kafka", help="Start a Kafka here, or use the one of the settings.")
    ] = True,
    home: Annotated[
        Path, typer.Option(envvar="HOLDFAST_HOME", file_okay=False, help="Where data and logs lie.")
    ] = Path(".holdfast"),
) -> None:
    """Run everything on this machine until Ctrl-C, and restart what dies.

    Starts Kafka, creates the topics, starts workers, learner, reconciler, watcher and auditor. Kafka's data and the
    logs stay in the home; the next start goes on from there.
    """
    from rich.console import Console

    from streams.operating.installation import Plan

    settings_of(ctx)  # what is wrong with them is said before anything starts
    environment = dict(os.environ)
    if ctx.find_root().obj is not None:
        environment["HOLDFAST_SETTINGS"] = str(ctx.find_root().obj.absolute())
    plan = Plan(
        home=home.absolute(),
        environment=environment,
        workers=workers,
        own_kafka=kafka,
        reconciled=True,
        watched=True,
        audited=True,
        simulate_rate=simulate,
    )
    with suppress(asyncio.CancelledError):
        asyncio.run(_run(plan, Console(highlight=False)))


async def _run(plan: "Plan", console: "Console") -> None:
    from streams.interruption import cancelled_by_signals
    from streams.operating.installation import running
    from streams.operating.showing import told_on

    with cancelled_by_signals():
        async with running(plan, told_on(console)) as installation:
            console.print(_whereabouts(plan, installation))
            await _show(installation, console)


async def _show(installation: "Installation", console: "Console") -> None:
    """Show how it goes for as long as it does."""
    from rich.live import Live

    from streams.operating.pulse import status_line
    from streams.overseeing.observer import decisions_to, observe
    from streams.overseeing.tally import Recent

    if not console.is_terminal:
        await asyncio.get_running_loop().create_future()  # until cancelled
    recent = Recent(RECENT_SECONDS)
    async with asyncio.TaskGroup() as group:
        group.create_task(observe(installation.settings, decisions_to(recent.add), from_beginning=False))
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while True:
                recent.forget(time.time())
                live.update(status_line(recent), refresh=True)
                await asyncio.sleep(REDRAW_SECONDS)


def _whereabouts(plan: "Plan", installation: "Installation") -> "Panel":
    from rich.panel import Panel
    from rich.table import Table

    from streams.broker.topics import DECISIONS, Topic, name_of

    settings = installation.settings
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    facts.add_row("Kafka", settings.broker.bootstrap_servers)
    facts.add_row("send to", name_of(Topic.TRANSACTIONS, settings.topics))
    facts.add_row("decisions on", ", ".join(name_of(topic, settings.topics) for topic in DECISIONS.values()))
    facts.add_row("alerts on", name_of(Topic.ALERTS, settings.topics))
    for name, url in installation.metrics.items():
        facts.add_row(f"metrics of {name}", url)
    facts.add_row("logs", str(plan.logs))
    facts.add_row("to use it", f"export HOLDFAST_BROKER={settings.broker.bootstrap_servers}")
    return Panel(facts, title="Holdfast is up", subtitle="Ctrl-C stops it", expand=False, border_style="green")
