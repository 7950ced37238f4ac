"""`holdfast model list|show|diff|rollback|promote`: which models there are, what they weigh, and who is to decide."""

import asyncio
import getpass
import time
import uuid
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from models.snapshot import Snapshot, SnapshotInvalid, from_plain
from models.track_record import TrackRecord
from models.trees import count_of
from streams.operating.context import settings_of
from streams.overseeing.control import say
from streams.wire.control import MODEL, ModelOrder, ModelVerb, write_model_order
from streams.wire.snapshot_record import SnapshotRecord

if TYPE_CHECKING:
    from streams.overseeing.known_models import Known
    from streams.settings import Settings

NOT_TAKEN = 1
WAIT_SECONDS, LOOK_SECONDS = 30.0, 0.5
MOST_COLUMNS = 15

app = typer.Typer(help="Models: which there are, what they weigh, and which is to decide.", no_args_is_help=True)

Version = Annotated[str, typer.Argument(help="As `holdfast model list` shows it; its beginning will do.")]
Why = Annotated[str, typer.Option("--why", help="The reason, for whoever reads it later.")]
Who = Annotated[str, typer.Option("--who", envvar="HOLDFAST_OPERATOR", help="Your name. [default: the user's]")]


@app.command("list")
def list_(ctx: typer.Context) -> None:
    """Show the champion, which decides, the candidate, if the learner's own is another, and those to go back to."""
    table = Table(box=SIMPLE_HEAD)
    for heading in ("model", "made", "role", "labels", "frauds", "columns", "trees"):
        table.add_column(heading, justify="left" if heading in ("model", "made", "role") else "right")
    for role, record in _records(settings_of(ctx)):
        snapshot = record.snapshot
        counts = (int(snapshot.get(name, 0)) for name in ("labels", "frauds"))
        made = f"{record.created_at:%Y-%m-%d %H:%M:%S} UTC"
        trees = count_of(snapshot["trees"]) if "trees" in snapshot else 0
        table.add_row(
            record.model_version, made, role, *(f"{each:,}" for each in counts), str(record.columns), str(trees)
        )
    Console().print(table)


@app.command()
def show(ctx: typer.Context, version: Version = "") -> None:
    """Show what weighs most in a model, the champion where none is named, and what may be automatic by it.

    A weight is what one standard deviation adds to the log-odds of fraud; of trees, how far apart the sides of all
    splits of a feature are, in sum.
    """
    snapshot = _snapshot(_found(_records(settings_of(ctx)), version))
    table = Table(box=SIMPLE_HEAD, title=f"{snapshot.model_version}: {snapshot.labels:,} labels")
    table.add_column("column")
    table.add_column("weight", justify="right")
    weights = _weights(snapshot)
    for name in sorted(weights, key=lambda each: -abs(weights[each]))[:MOST_COLUMNS]:
        table.add_row(name, f"{weights[name]:+.3f}")
    Console().print(table)
    Console().print(what_may_be_automatic(snapshot))


@app.command()
def diff(ctx: typer.Context, before: Version, after: Version = "") -> None:
    """Show which weights differ most between two models, the second being the champion where none is named."""
    records = _records(settings_of(ctx))
    was, now = (_snapshot(_found(records, version)) for version in (before, after))
    old, new = _weights(was), _weights(now)
    moved = {name: new.get(name, 0.0) - old.get(name, 0.0) for name in old | new}
    table = Table(box=SIMPLE_HEAD, title=f"{was.model_version} to {now.model_version}")
    for heading in ("column", "before", "after", "moved"):
        table.add_column(heading, justify="left" if heading == "column" else "right")
    for name in sorted(moved, key=lambda each: -abs(moved[each]))[:MOST_COLUMNS]:
        cells = [f"{side[name]:+.3f}" if name in side else "" for side in (old, new)]
        table.add_row(name, *cells, f"{moved[name]:+.3f}")
    Console().print(table)


@app.command()
def rollback(
    ctx: typer.Context,
    version: Annotated[str, typer.Argument(help="One that is kept. [default: the newest of them]")] = "",
    *,
    why: Why,
    who: Who = "",
) -> None:
    """Have an earlier model decide, and the learner learn on from it: what it learnt since is given up.

    Waits until it is done, and ends with 1 if no learner has done it within half a minute: the next one will.
    """
    settings = settings_of(ctx)
    good = [each for each in _records(settings) if each[0] == "kept"]
    record = _found(good, version) if version else next((each for _, each in good), None)
    if record is None:
        raise typer.BadParameter("there is none to go back to yet: see `holdfast model list`", param_hint="VERSION")
    if not _obeyed(settings, ModelVerb.ROLLBACK, record.model_version, who=who, why=why):
        typer.echo(f"No learner has gone back to {record.model_version} yet; one that starts will.", err=True)
        raise typer.Exit(NOT_TAKEN)


@app.command()
def promote(
    ctx: typer.Context,
    version: Annotated[str, typer.Argument(help="The candidate's. [default: the one that there is]")] = "",
    *,
    why: Why,
    who: Who = "",
) -> None:
    """Have a candidate decide that failed its exam, and the learner learn on from it.

    It must be sound, and have learnt enough. Waits until it is done, and ends with 1 if no learner has done it within
    half a minute.
    """
    settings = settings_of(ctx)
    candidates = [each for each in _records(settings) if each[0] == "candidate"]
    if not candidates:
        raise typer.BadParameter("there is no candidate: see `holdfast model list`", param_hint="VERSION")
    record = _found(candidates, version)
    if not _obeyed(settings, ModelVerb.PROMOTE, record.model_version, who=who, why=why):
        typer.echo(f"No learner has promoted {record.model_version}: its log says why.", err=True)
        raise typer.Exit(NOT_TAKEN)


def _obeyed(settings: "Settings", verb: ModelVerb, version: str, *, who: str, why: str) -> bool:
    """Give the learner an order, and say what came of it, if anything did."""
    order = ModelOrder(
        order_id=uuid.uuid4().hex, verb=verb, model_version=version, who=who or getpass.getuser(), why=why
    )
    champion = asyncio.run(_ordered(settings, order))
    if champion is not None:
        typer.echo(f"{champion} decides: {version} (by {order.who}: {order.why}).")
    return champion is not None


def _records(settings: "Settings") -> "Known":
    """All models by their role, newest first; the champion before all others."""
    return asyncio.run(_read(settings))


async def _read(settings: "Settings", *, with_kept: bool = True) -> "Known":
    from streams.overseeing.cluster import KafkaCluster
    from streams.overseeing.known_models import models_of

    async with KafkaCluster(settings).reading() as consumer:
        return await models_of(consumer, settings, with_kept=with_kept)


def _found(records: list[tuple[str, SnapshotRecord]], version: str) -> SnapshotRecord:
    """The one whose version begins so; the first, which is the champion, for none."""
    matching = {each.model_version: each for _, each in records if each.model_version.startswith(version)}
    if not matching:
        raise typer.BadParameter(f"there is no model {version}".rstrip(), param_hint="VERSION")
    if version and version not in matching and len(matching) > 1:
        raise typer.BadParameter(f"{version} is the beginning of {', '.join(matching)}", param_hint="VERSION")
    return matching.get(version) or next(iter(matching.values()))


def _snapshot(record: SnapshotRecord) -> Snapshot:
    try:
        return from_plain(record.snapshot)
    except SnapshotInvalid as error:
        raise typer.BadParameter(f"{record.model_version}: {error}", param_hint="VERSION") from error


def what_may_be_automatic(snapshot: Snapshot) -> str:
    """In words, by what scores came to; which of it costs want is another question."""
    record = TrackRecord() if snapshot.track_record is None else TrackRecord.from_plain(snapshot.track_record)
    if not record.judges:
        return "Too little is known of what scores came to: what may be automatic is not bounded by it."
    below, begin = record.certainties().bounds
    approvals = f"below {below:.4f}" if below <= 1 else "at any score"
    blocks = f"from {begin:.4f} on" if begin <= 1 else "at no score"
    return (
        f"Approvals may be automatic {approvals}, aimed at {record.approvals.aim:.0%} of the level;"
        f" blocks {blocks}, aimed at {record.blocks.aim:.0%}."
    )


def _weights(snapshot: Snapshot) -> dict[str, float]:
    scored = (column.scored_weight for column in snapshot.columns)
    weights = {"(intercept)": snapshot.scored_intercept, **dict(zip(snapshot.hinges.columns, scored, strict=True))}
    trees = {} if snapshot.trees is None else snapshot.trees.moves
    return weights | {f"(trees) {snapshot.hinges.names[index]}": moved for index, moved in trees.items()}


async def _ordered(settings: "Settings", order: ModelOrder) -> str | None:
    """Give the order; the version of the champion that came of it, once there is one."""
    await say(settings, MODEL, write_model_order(order))
    give_up_at = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < give_up_at:
        for role, record in await _read(settings, with_kept=False):
            if role == "champion" and record.order == order.order_id:
                return record.model_version
        await asyncio.sleep(LOOK_SECONDS)
    return None
