"""`holdfast drill`: plays failures, on a scratch installation or a live one, and says whether all came as it must."""

import asyncio
import getpass
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.interruption import INTERRUPTED, cancelled_by_signals
from streams.operating.context import settings_of
from streams.operating.drills.catalogue import DRILLS
from streams.operating.drills.drill import Where
from streams.operating.scratch import scratch_home

if TYPE_CHECKING:
    from rich.console import Console

    from streams.auditing.audit import Audit
    from streams.operating.drills.drill import Drill
    from streams.operating.drills.results import Result, Round
    from streams.settings import Settings

FAILED = 1
ALL = "all"

Play = Callable[[Callable[["Result"], None]], Coroutine[Any, Any, "Audit"]]


def _named(name: str) -> str:
    if name != ALL and name not in DRILLS:
        raise typer.BadParameter(f"there is no drill {name!r}: {', '.join([ALL, *DRILLS])}")
    return name


def drill(
    ctx: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(parser=_named, metavar="NAME...", help=f"{ALL} that take seconds, or of: {', '.join(DRILLS)}."),
    ],
    *,
    rate: Annotated[float, typer.Option(min=20, max=2000, help="Transactions a second, simulated.")] = 300.0,
    times: Annotated[
        int, typer.Option(min=1, max=100, help="Play each so often, each time on an installation of its own.")
    ] = 1,
    results: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Keep what came of it in this file, and play only what it does not hold."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write report.md and report.html there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a drill.")] = False,
    keep_files: Annotated[bool, typer.Option("--keep", help="Keep Kafka's data and the logs, and say where.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="On the installation of the settings, with the payments that it has.")
    ] = False,
    why: Annotated[str, typer.Option("--why", help="With --live: the reason, for whoever reads it later.")] = "",
    who: Annotated[
        str, typer.Option("--who", envvar="HOLDFAST_OPERATOR", help="With --live: your name. [default: the user's]")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="With --live: do not ask.")] = False,
) -> None:
    """Bring failures about, and see that payments are decided, that people hear of it, and how it ends.

    Starts Kafka, two workers, learner, reconciler, watcher and simulated traffic, all in a scratch directory. For each
    drill the four moments of its incident, seconds from the beginning of the failure: detected, contained (no payment
    that came later missed its deadline), restored, settled (all that was decided without the model was scored again).
    Exit 0 if everything came as it must, else 1.

    With --live it plays on the installation of the settings instead: only drills that topics alone bring about and take
    back, those with a scorer's fault in a sandbox only; only where every worker is in mode normal and no incident is
    open; each taken back at once if one in ten payments is late, and after a minute by itself, whatever becomes of this
    command.
    """
    from rich.console import Console

    from streams.operating.drills.report import conclusion
    from streams.operating.drills.results import ResultsUnreadable, keep, kept, missing

    console = Console(highlight=False, stderr=as_json)
    short = [name for name, each in DRILLS.items() if not each.takes_minutes]
    chosen = [DRILLS[name] for name in dict.fromkeys(short if ALL in names else names)]
    settings = settings_of(ctx) if live else None
    if settings is not None:
        chosen = _playable_live(chosen, settings, all_of_them=ALL in names)
        _ask(chosen, settings, why, yes=yes)
    try:
        rounds = [] if results is None else kept(results)
    except ResultsUnreadable as error:
        raise typer.BadParameter(str(error), param_hint="--results") from error
    for round_names in missing([each.name for each in chosen], times, rounds):
        drills = [DRILLS[name] for name in round_names]
        if settings is not None:
            played = _run(_live(drills, settings, who or getpass.getuser(), why, console), None, console, as_json)
        else:
            with scratch_home("drill", console, keep=keep_files) as home:
                played = _run(_scratch(drills, home, rate, console), rate, console, as_json)
        rounds.append(played)
        if results is not None:
            keep(results, played)
    if report is not None:
        _report(rounds, report)
    console.print(conclusion(rounds))
    if not all(each.passed for each in rounds):
        raise typer.Exit(FAILED)


def _report(rounds: "Sequence[Round]", directory: Path) -> None:
    from streams.operating.drills.report import markdown, page

    directory.mkdir(parents=True, exist_ok=True)
    (directory / "report.md").write_text(markdown(rounds), "utf-8")
    (directory / "report.html").write_text(page(rounds), "utf-8")


def _playable_live(drills: "list[Drill]", settings: "Settings", *, all_of_them: bool) -> "list[Drill]":
    allowed = {Where.ANYWHERE, Where.SANDBOX} if settings.sandbox else {Where.ANYWHERE}
    refused = [each.name for each in drills if each.where not in allowed]
    if refused and not all_of_them:
        why = "on a scratch installation only" if settings.sandbox else "not where real payments are decided"
        raise typer.BadParameter(f"{', '.join(refused)}: {why}", param_hint="--live")
    return [each for each in drills if each.where in allowed]


def _ask(drills: "list[Drill]", settings: "Settings", why: str, *, yes: bool) -> None:
    if not why:
        raise typer.BadParameter("say why, for whoever reads of it", param_hint="--why")
    for each in drills:
        typer.echo(f"{each.name}: {each.summary}", err=True)
    if not yes:
        typer.confirm(f"On {settings.broker.bootstrap_servers}, now?", abort=True, err=True)


def _scratch(drills: "list[Drill]", home: Path, rate: float, console: "Console") -> Play:
    from streams.logs import hush_clients
    from streams.operating.drills.playing import play
    from streams.operating.showing import told_on

    hush_clients()
    return lambda judged: play(drills, home, rate=rate, told=told_on(console), judged=judged)


def _live(drills: "list[Drill]", settings: "Settings", who: str, why: str, console: "Console") -> Play:
    from streams.operating.drills.playing import play_live
    from streams.operating.showing import told_on

    return lambda judged: play_live(drills, settings, who=who, why=why, told=told_on(console), judged=judged)


def _run(play: Play, rate: float | None, console: "Console", as_json: bool) -> "Round":  # noqa: FBT001 - as it is shown
    try:
        return asyncio.run(_played(play, rate, console, as_json))
    except asyncio.CancelledError:
        raise typer.Exit(INTERRUPTED) from None


async def _played(play: Play, rate: float | None, console: "Console", as_json: bool) -> "Round":  # noqa: FBT001
    import platform

    from streams.operating.drills.results import Round
    from streams.operating.machine import cores_and_processor

    results: list[Result] = []

    def judged(each: "Result") -> None:
        results.append(each)
        _show(each, console, as_json)

    with cancelled_by_signals():
        audit = await play(judged)
    return Round(
        rate=rate,
        machine=f"{cores_and_processor()}, Python {platform.python_version()}",
        results=tuple(results),
        transactions=audit.ledger.transactions,
        unaccounted=audit.ledger.unaccounted,
        decided_twice=audit.ledger.decided_twice,
        contradictory=audit.ledger.contradictory + audit.unreadable,
    )


def _show(result: "Result", console: "Console", as_json: bool) -> None:  # noqa: FBT001
    from streams.operating.drills.report import moments
    from streams.operating.drills.results import written

    if as_json:
        typer.echo(written(result))
    said = zip(("detected", "contained", "restored", "settled"), moments(result), strict=True)
    console.print("          " + "  ".join(f"[dim]{name}[/dim] {at}" for name, at in said), soft_wrap=True)
    for check in result.checks:
        mark = "[bold green]✓[/]" if check.holds else "[bold red]✗[/]"
        console.print(f"          {mark} {check.expected}: {check.found}", soft_wrap=True)
