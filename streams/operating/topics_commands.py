"""`holdfast topics create|check`: the catalogue on the broker, and what is wrong with it."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.broker.topics import CATALOGUE, DAY_MS, TopicSpec, name_of
from streams.operating.context import settings_of
from streams.settings import Settings, TopicSettings

if TYPE_CHECKING:
    from streams.broker.topic_admin import Finding

WRONG = 1

app = typer.Typer(help="The topics: create what is missing, check what is there.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]


@app.command()
def create(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Create the topics that are missing. Where one exists otherwise than it must be, create none and exit 1."""
    settings = settings_of(ctx)
    _tell(settings, *asyncio.run(_created(settings)), as_json=as_json)


@app.command()
def check(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Compare the topics with what they must be: exit 0 if all are right, 1 if one is missing or wrong."""
    from streams.broker.topic_admin import check_topics

    settings = settings_of(ctx)
    _tell(settings, [], asyncio.run(check_topics(settings)), as_json=as_json)


async def _created(settings: Settings) -> tuple[list[str], list["Finding"]]:
    """What was created, and what is still not as it must be."""
    from streams.broker.topic_admin import TopicsWrong, check_topics, create_topics

    missing = [finding.topic for finding in await check_topics(settings) if finding.missing]
    with suppress(TopicsWrong, TimeoutError):  # the findings say it better
        await create_topics(settings)
    findings = await check_topics(settings)
    return sorted(set(missing) - {finding.topic for finding in findings}), findings


def _tell(settings: Settings, created: list[str], findings: list["Finding"], *, as_json: bool) -> None:
    problems: dict[str, list[str]] = {}
    for finding in findings:
        problems.setdefault(finding.topic, []).append(finding.problem)
    rows = [_row(spec, settings.topics, created, problems) for spec in CATALOGUE]
    if as_json:
        typer.echo(json.dumps({"created": created, "topics": rows}))
    else:
        _print(rows, findings)
    if findings:
        raise typer.Exit(WRONG)


def _row(
    spec: TopicSpec, settings: TopicSettings, created: list[str], problems: Mapping[str, list[str]]
) -> dict[str, Any]:
    name = name_of(spec.topic, settings)
    wrong = problems.get(name, [])
    state = "created" if name in created else "right" if not wrong else "missing" if "is missing" in wrong else "wrong"
    return {
        "topic": name,
        "partitions": spec.partitions(settings),
        "cleanup": "compact" if spec.compacted else "delete",
        "retention_ms": None if spec.compacted else spec.retention_ms,
        "state": state,
        "problems": wrong,
    }


def _print(rows: list[dict[str, Any]], findings: list["Finding"]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    styles = {"right": "green", "created": "bold green", "missing": "yellow", "wrong": "bold red"}
    table = Table(box=SIMPLE_HEAD)
    for heading, justify in (("topic", "left"), ("partitions", "right"), ("cleanup", "left"), ("retention", "right")):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    table.add_column("state")
    for row in rows:
        days = "" if row["retention_ms"] is None else f"{row['retention_ms'] // DAY_MS} d"
        state = f"[{styles[row['state']]}]{row['state']}[/]"
        table.add_row(row["topic"], str(row["partitions"]), row["cleanup"], days, state)
    console = Console(highlight=False)
    console.print(table)
    for finding in findings:
        console.print(f"[red]✗[/red] {finding.topic}: {finding.problem}", soft_wrap=True)
