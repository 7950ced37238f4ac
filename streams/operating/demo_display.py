"""What the demo shows while it runs: the chapters, who decides, the alerts."""

import asyncio
import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streams.operating.demo_facts import Facts
from streams.operating.demo_story import TITLES
from streams.operating.pulse import pulse, status_line
from streams.operating.showing import alert_line
from streams.wire.alert import AlertEvent

REDRAW_SECONDS = 0.5  # drawing takes 5 to 10 ms of a core that workers need
LINE_SECONDS = 5.0  # where no terminal redraws


def screen(facts: Facts, now: float) -> Panel:
    """The whole of it, `now` in seconds since 1970."""
    alerts = [_alert(event) for event in facts.latest_alerts]
    rows: list[RenderableType] = [_chapters(facts, now), Text(), pulse(facts.recent), _learnt(facts)]
    if alerts:
        rows += [Text(), Text("alerts", style="dim"), *alerts]
    return Panel(Group(*rows), title="Holdfast", border_style="green", width=120)


async def show(facts: Facts, console: Console) -> None:
    """Draw until cancelled: a screen where there is a terminal, else a line now and then."""
    if not console.is_terminal:
        await _print_lines(facts, console)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            now = time.time()
            facts.recent.forget(now)
            live.update(screen(facts, now), refresh=True)
            await asyncio.sleep(REDRAW_SECONDS)


async def _print_lines(facts: Facts, console: Console) -> None:
    chapters, next_line = 0, 0.0
    while True:
        now = time.time()
        for chapter in facts.tally.chapters[chapters:]:
            console.print(Text(f"── {TITLES[chapter.name]}", style="bold"))
            next_line = now + LINE_SECONDS / 2
        chapters = len(facts.tally.chapters)
        if now >= next_line:
            facts.recent.forget(now)
            console.print(status_line(facts.recent), soft_wrap=True)
            next_line = now + LINE_SECONDS
        await asyncio.sleep(REDRAW_SECONDS)


def _chapters(facts: Facts, now: float) -> Table:
    """Past chapters with their length, the present one, and those to come."""
    begun = facts.tally.chapters
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    for number, (name, title) in enumerate(TITLES.items()):
        if number >= len(begun):
            table.add_row(Text("·", style="dim"), Text(title, style="dim"), "")
            continue
        current = begun[-1].name == name
        ends = now if current else begun[number + 1].begins
        style = "bold" if current else ""
        mark = Text("▶", style="bold cyan") if current else Text("✓", style="green")
        table.add_row(mark, Text(title, style=style), Text(f"{ends - begun[number].begins:.0f} s", style=style))
    return table


def _alert(event: AlertEvent) -> Text:
    """One line, cut where the screen ends; first the worker that says it."""
    line = Text.assemble((f"{event.subject.split('/')[0]}  ", "cyan"), alert_line(event.data, event.time))
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _learnt(facts: Facts) -> Text:
    if facts.model_version is None:
        return Text("no model yet", style="dim")
    return Text.assemble(
        ("model ", "dim"), facts.model_version, ("  learnt from ", "dim"), f"{facts.labels_learnt:,} labels"
    )
