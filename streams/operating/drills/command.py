"""`holdfast drill`: plays failures on a scratch installation and says whether all came as it must."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.interruption import INTERRUPTED, cancelled_by_signals
from streams.operating.drills.catalogue import DRILLS
from streams.operating.scratch import scratch_home

if TYPE_CHECKING:
    from rich.console import Console

    from streams.operating.drills.drill import Drill
    from streams.operating.drills.judging import Judgement, Played
    from streams.operating.drills.report import Report

FAILED = 1
ALL = "all"


def _named(name: str) -> str:
    if name != ALL and name not in DRILLS:
        raise typer.BadParameter(f"there is no drill {name!r}: {', '.join([ALL, *DRILLS])}")
    return name


def drill(
    names: Annotated[
        list[str], typer.Argument(parser=_named, metavar="NAME...", help=f"{ALL}, or of: {', '.join(DRILLS)}.")
    ],
    *,
    rate: Annotated[float, typer.Option(min=20, max=2000, help="Transactions a second.")] = 300.0,
    times: Annotated[int, typer.Option(min=1, max=100, help="Play each so often.")] = 1,
    report: Annotated[Path | None, typer.Option(help="Write report.md and report.html there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a drill.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep Kafka's data and the logs, and say where.")] = False,
) -> None:
    """Bring failures about, and see that payments are decided, that people hear of it, and how it ends.

    Starts Kafka, two workers, learner, reconciler and simulated traffic, all in a scratch directory. For each drill the
    four moments of its incident, seconds from the beginning of the failure: detected, contained (no payment that came
    later missed its deadline), restored, settled (all that was decided without the model was scored again). Exit 0 if
    everything came as it must, else 1.
    """
    from rich.console import Console

    chosen = [DRILLS[name] for name in (DRILLS if ALL in names else names)] * times
    console = Console(highlight=False, stderr=as_json)
    with scratch_home("drill", console, keep=keep) as home:
        try:
            played = asyncio.run(_played(chosen, home, rate, console, as_json=as_json))
        except asyncio.CancelledError:
            raise typer.Exit(INTERRUPTED) from None
    if report is not None:
        from streams.operating.drills.report import markdown, page

        report.mkdir(parents=True, exist_ok=True)
        (report / "report.md").write_text(markdown(played), "utf-8")
        (report / "report.html").write_text(page(played), "utf-8")
    _conclude(played, console)
    if not played.passed:
        raise typer.Exit(FAILED)


async def _played(drills: "list[Drill]", home: Path, rate: float, console: "Console", *, as_json: bool) -> "Report":
    import platform

    from streams.operating.drills.playing import play
    from streams.operating.drills.report import Report
    from streams.operating.showing import told_on

    played: list[Played] = []

    def judged(each: "Played") -> None:
        played.append(each)
        if as_json:
            typer.echo(json.dumps(_plain(each.judgement)))
        _show(each.judgement, console)

    with cancelled_by_signals():
        audit = await play(drills, home, rate=rate, told=told_on(console), judged=judged)
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    return Report(played=played, audit=audit, rate=rate, machine=machine)


def _show(judgement: "Judgement", console: "Console") -> None:
    from streams.operating.drills.report import moments

    said = zip(("detected", "contained", "restored", "settled"), moments(judgement.timeline), strict=True)
    console.print("          " + "  ".join(f"[dim]{name}[/dim] {at}" for name, at in said), soft_wrap=True)
    for check in judgement.checks:
        mark = "[bold green]✓[/]" if check.holds else "[bold red]✗[/]"
        console.print(f"          {mark} {check.expected}: {check.found}", soft_wrap=True)


def _plain(judgement: "Judgement") -> dict[str, object]:
    timeline = judgement.timeline
    return {
        "drill": judgement.drill.name,
        "passed": judgement.passed,
        "detected_seconds": timeline.detected,
        "contained_seconds": timeline.contained,
        "restored_seconds": timeline.restored,
        "settled_seconds": timeline.settled,
        "age_p50_ms": judgement.p50_ms,
        "age_p99_ms": judgement.p99_ms,
        "decisions": judgement.decisions,
        "without_model": judgement.without_model,
        "fallback_reasons": judgement.reasons,
        "checks": [{"expected": each.expected, "holds": each.holds, "found": each.found} for each in judgement.checks],
    }


def _conclude(played: "Report", console: "Console") -> None:
    ledger = played.audit.ledger
    passed = sum(each.judgement.passed for each in played.played)
    console.print(
        f"{passed} of {len(played.played)} drills passed; of {ledger.transactions:,} transactions {ledger.unaccounted}"
        f" unaccounted, {ledger.decided_twice} decided twice."
    )
