"""`holdfast mode show|force|release`: the operator's word on whose answer is used, with who and why."""

import asyncio
import getpass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import orjson
import typer

from rules.mode import Mode
from streams.operating.context import settings_of
from streams.operating.durations import seconds_of
from streams.operating.hearing import heard
from streams.overseeing.control import say
from streams.wire.control import MODE, Force, ModeOrder, write_order
from streams.wire.heartbeat import Heartbeat

app = typer.Typer(help="Whose answer is used: the model's, or rules', whatever the breaker says.", no_args_is_help=True)

Why = Annotated[str, typer.Option("--why", help="The reason, for whoever reads it later.")]
Who = Annotated[str, typer.Option("--who", envvar="HOLDFAST_OPERATOR", help="Your name. [default: the user's]")]


@app.command()
def force(
    ctx: typer.Context,
    what: Annotated[Force, typer.Argument(help="`rules`, or `model` although it is slow, wrong or stale.")],
    *,
    why: Why,
    who: Who = "",
    until: Annotated[
        float | None,
        typer.Option(parser=seconds_of, metavar="DURATION", help="For so long, such as 30m; a model needs an end."),
    ] = None,
) -> None:
    """Have rules decide everything, or keep the model in use, in every worker from the next batch on."""
    if what is Force.MODEL and until is None:
        raise typer.BadParameter("a model is kept in use for a time only: give --until", param_hint="--until")
    end = None if until is None else datetime.now(UTC) + timedelta(seconds=until)
    order = ModeOrder(force=what, who=who or getpass.getuser(), why=why, until=end)
    asyncio.run(say(settings_of(ctx), MODE, write_order(order)))
    typer.echo(_sentence(order))


@app.command()
def release(ctx: typer.Context, *, why: Why, who: Who = "") -> None:
    """Give the word back: each worker's circuit breaker goes on by itself."""
    order = ModeOrder(who=who or getpass.getuser(), why=why)
    asyncio.run(say(settings_of(ctx), MODE, write_order(order)))
    typer.echo(_sentence(order))


@app.command()
def show(
    ctx: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of sentences.")] = False,
) -> None:
    """Show the word that holds, who gave it and why, and the mode of each worker by its last heartbeat."""
    order, workers = asyncio.run(heard(settings_of(ctx)))
    if as_json:
        typer.echo(orjson.dumps({"order": order, "workers": workers}, option=orjson.OPT_UTC_Z))
        return
    typer.echo(_sentence(order))
    for each in workers:
        typer.echo(_line(each))


def _line(worker: Heartbeat) -> str:
    heard = (datetime.now(UTC) - worker.at).total_seconds()
    since = f" since {worker.mode_since:%Y-%m-%d %H:%M:%S} UTC" if worker.mode_since else ""
    mode = f"{worker.mode}" + ("" if worker.mode is Mode.NORMAL else f" ({worker.mode_reason})") + since
    return (
        f"{worker.instance}: {mode}, {worker.lanes} partitions, model {worker.model_version}, heard {heard:.0f} s ago"
    )


def _sentence(order: ModeOrder) -> str:
    by = f" (by {order.who}: {order.why})" if order.who or order.why else ""
    if order.force is None or not order.holds(datetime.now(UTC)):
        return f"Nothing is forced{by}."
    until = f" until {order.until:%Y-%m-%d %H:%M:%S} UTC" if order.until else " until it is released"
    return f"{order.force.title()} decide{'s' if order.force is Force.MODEL else ''}{until}{by}."
