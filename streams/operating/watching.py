"""`holdfast watch decisions|alerts|modes`: one line for each, as they come."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rules.decision import Outcome
from streams.broker.topics import DECISIONS, Topic
from streams.operating.context import settings_of
from streams.settings import Settings

if TYPE_CHECKING:
    from rich.text import Text

POLL_MS = 200

Show = Callable[[bytes], "Text"]  # raises MalformedRecord

app = typer.Typer(help="Decisions, alerts and changes of mode as they come.", no_args_is_help=True)

FromBeginning = Annotated[bool, typer.Option("--from-beginning", help="What is there already, too.")]
AsJson = Annotated[bool, typer.Option("--json", help="Records as their topic has them, one to a line.")]
Count = Annotated[int | None, typer.Option(min=1, help="End after so many.")]


@app.command()
def decisions(
    ctx: typer.Context,
    *,
    outcome: Annotated[list[Outcome] | None, typer.Option(help="Only these; may be repeated.")] = None,
    from_beginning: FromBeginning = False,
    as_json: AsJson = False,
    count: Count = None,
) -> None:
    """Show decisions: time, outcome, amount, who decided, why, age in milliseconds. Ctrl-C ends it."""
    topics = [DECISIONS[each] for each in outcome or Outcome]
    _until_stopped(_watch(settings_of(ctx), topics, _decision, from_beginning, as_json=as_json, count=count))


@app.command()
def alerts(
    ctx: typer.Context,
    *,
    from_beginning: FromBeginning = False,
    as_json: AsJson = False,
    count: Count = None,
) -> None:
    """Show alerts: where each stands, how bad it is, since when, what it costs, what to do. Ctrl-C ends it."""
    _until_stopped(_watch(settings_of(ctx), [Topic.ALERTS], _alert, from_beginning, as_json=as_json, count=count))


@app.command()
def modes(
    ctx: typer.Context,
    *,
    from_beginning: FromBeginning = False,
    as_json: AsJson = False,
    count: Count = None,
) -> None:
    """Show changes of the workers' modes: time, worker, from what to what, why, what was seen. Ctrl-C ends it."""
    _until_stopped(_watch(settings_of(ctx), [Topic.MODES], _mode, from_beginning, as_json=as_json, count=count))


async def committed_values(
    settings: Settings, topics: list[Topic], *, from_beginning: bool
) -> AsyncGenerator[bytes, None]:
    """Values of committed records as they come, without end."""
    from streams.broker.clients import reader
    from streams.broker.reading import begin_at, partitions_of
    from streams.broker.topic_admin import require_topics

    await require_topics(settings)
    consumer = reader(settings.broker, fetch_max_wait_ms=100)
    await consumer.start()
    try:
        partitions = partitions_of(settings, topics)
        begin_at(consumer, await (consumer.beginning_offsets if from_beginning else consumer.end_offsets)(partitions))
        while True:
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    if record.value is not None:
                        yield record.value
    finally:
        await consumer.stop()


async def _watch(
    settings: Settings,
    topics: list[Topic],
    show: Show,
    from_beginning: bool,  # noqa: FBT001 - passed on from the command line
    *,
    as_json: bool,
    count: int | None,
) -> None:
    from rich.console import Console

    from streams.wire.codec import MalformedRecord

    console, shown = Console(highlight=False), 0
    values = committed_values(settings, topics, from_beginning=from_beginning)
    try:
        async for value in values:
            if as_json:
                typer.echo(value)
            else:
                try:
                    console.print(show(value), soft_wrap=True)
                except MalformedRecord as refusal:
                    console.print(f"[red]unreadable[/red] {refusal}", soft_wrap=True)
            shown += 1
            if shown == count:
                return
    finally:
        await values.aclose()


def _decision(value: bytes) -> "Text":
    from streams.operating.showing import decision_line
    from streams.wire.codec import read_decision

    return decision_line(read_decision(value))


def _alert(value: bytes) -> "Text":
    from streams.operating.showing import alert_line
    from streams.wire.alert import read_alert

    event = read_alert(value)
    return alert_line(event.data, event.time)


def _mode(value: bytes) -> "Text":
    from streams.operating.showing import mode_line
    from streams.wire.mode_event import read_mode_event

    return mode_line(read_mode_event(value))


def _until_stopped(watching: Coroutine[Any, Any, None]) -> None:
    with suppress(KeyboardInterrupt):
        asyncio.run(watching)
