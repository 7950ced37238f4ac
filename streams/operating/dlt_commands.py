"""`holdfast dlt list|show|replay|purge`: look at dead letters, send them again, delete them."""

import asyncio
import heapq
import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from models.dead_letter import DeadLetterReason
from streams.interruption import INTERRUPTED, cancelled_by_signals
from streams.operating.context import settings_of
from streams.operating.durations import seconds_of
from streams.settings import Settings
from streams.wire.letter_replay import LetterPlace

if TYPE_CHECKING:
    from rich.console import Console

    from streams.letters.letter import Choice, Letter, Marks
    from streams.letters.purge import Purge
    from streams.letters.replay import LettersReplayed

NOT_DONE = 1

app = typer.Typer(help="Dead letters: look at them, send them again, delete them.", no_args_is_help=True)


def _place(written: str) -> LetterPlace:
    try:
        return LetterPlace.read(written)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Place = typer.Argument(parser=_place, metavar="PARTITION:OFFSET", help="Where a letter lies, as `list` names it.")
Last = Annotated[float | None, typer.Option(parser=seconds_of, help="Only those of the last while: 90s, 1h, 2d.")]
Reason = Annotated[list[DeadLetterReason] | None, typer.Option(help="Only with this reason; may be repeated.")]


@app.command(name="list")
def list_(
    ctx: typer.Context,
    *,
    last: Last = None,
    reason: Reason = None,
    count: Annotated[int, typer.Option(min=1, help="So many at most, the newest.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List committed dead letters, the newest first: when, of what record, why, how large, whether sent again."""
    from streams.letters.letter import Choice

    choice = Choice(since=_since(last), reasons=frozenset(reason or ()))
    letters, marks, there = asyncio.run(_newest(settings_of(ctx), choice, count))
    if as_json:
        from streams.letters.showing import plain_letter

        for letter in letters:
            typer.echo(json.dumps(plain_letter(letter, marks)))
        return
    from streams.letters.showing import letter_table

    console = _console()
    console.print(letter_table(letters, marks))
    console.print(f"{len(letters):,} of {there:,} dead letters.")


@app.command()
def show(
    ctx: typer.Context,
    place: Annotated[LetterPlace, Place],
    *,
    raw: Annotated[
        bool, typer.Option("--raw", help="Write the record's bytes to standard output, nothing else.")
    ] = False,
) -> None:
    """Show everything of one letter: why, headers, key, and the record as text or, if it is no JSON, in hexadecimal.

    Exit 1 where there is no such letter.
    """
    from streams.letters.letter import Choice

    letters, marks, _ = asyncio.run(_newest(settings_of(ctx), Choice(places=frozenset({place})), 1))
    if not letters:
        typer.echo(f"There is no letter {place}.", err=True)
        raise typer.Exit(NOT_DONE)
    [letter] = letters
    if raw:
        typer.echo(letter.value or b"", nl=False)
        return
    from streams.letters.showing import letter_page

    console = _console()
    for line in letter_page(letter, marks):
        console.print(line, soft_wrap=True)


@app.command()
def replay(
    ctx: typer.Context,
    places: Annotated[list[LetterPlace] | None, Place] = None,
    *,
    reason: Reason = None,
    last: Last = None,
    all_: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Those refused again after a replay, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent, and what not.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")] = False,
) -> None:
    """Send letters again, as they came, to the topic they came from. Each is sent once, however often this is called.

    Killed at any point and called again, it goes on where it was. A record that is refused again becomes a new
    letter, which only its place or --again sends once more. Not sent: letters with masked card numbers, letters whose
    id was reused, and payments whose id has a decision. Exit 1 where a letter named by its place is not sent, unless
    it was before.
    """
    choice = _choice(places, reason, last, all_=all_)
    try:
        done = asyncio.run(_replayed(settings_of(ctx), choice, again=again, dry_run=dry_run))
    except asyncio.CancelledError as interruption:
        typer.echo("Interrupted. Call it again, and it goes on where it was.", err=True)
        raise typer.Exit(INTERRUPTED) from interruption
    _tell_replayed(done, named=bool(places), dry_run=dry_run, as_json=as_json)


@app.command()
def purge(
    ctx: typer.Context,
    places: Annotated[list[LetterPlace] | None, Place] = None,
    *,
    older_than: Annotated[
        float | None, typer.Option(parser=seconds_of, help="All that are older, in all partitions: 12h, 14d.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete letters for good: up to and with a place, in its partition, or all that are older than an age.

    Without --yes it says how many of which reason, and asks. Exit 1 where the answer is no.
    """
    from streams.letters.purge import NoSuchPlace, delete, purge_of

    if bool(places) == (older_than is not None):
        raise typer.BadParameter("say either places or --older-than")
    settings = settings_of(ctx)
    try:
        wanted = asyncio.run(purge_of(settings, up_to=frozenset(places or ()), older_than=older_than))
    except NoSuchPlace as error:
        raise typer.BadParameter(str(error)) from error
    _tell_purge(wanted)
    if not wanted.count:
        return
    if not (yes or typer.confirm("Delete them for good?")):
        raise typer.Exit(NOT_DONE)
    asyncio.run(delete(settings, wanted))
    typer.echo(f"Deleted {wanted.count:,} letters.")


def _since(last: float | None) -> float | None:
    return None if last is None else time.time() - last


def _choice(
    places: list[LetterPlace] | None, reason: list[DeadLetterReason] | None, last: float | None, *, all_: bool
) -> "Choice":
    from streams.letters.letter import Choice

    narrowed = bool(reason) or last is not None
    if sum((bool(places), narrowed, all_)) != 1:
        raise typer.BadParameter("say which letters: their places, or --reason and --last, or --all")
    return Choice(places=frozenset(places or ()), reasons=frozenset(reason or ()), since=_since(last))


async def _newest(settings: Settings, choice: "Choice", count: int) -> tuple[list["Letter"], "Marks", int]:
    """The newest letters of a choice, newest first, the marks, and how many letters the choice takes."""
    from streams.broker.clients import reader
    from streams.broker.topic_admin import require_topics
    from streams.letters.letter import chosen_letters, marks

    await require_topics(settings)
    kept: list[tuple[float, LetterPlace, Letter]] = []
    there = 0
    async with reader(settings.broker) as consumer:
        async for letter in chosen_letters(consumer, settings, choice):
            there += 1
            entry = (letter.written_at.timestamp(), letter.place, letter)
            (heapq.heappush if len(kept) < count else heapq.heappushpop)(kept, entry)
        return [letter for *_, letter in sorted(kept, reverse=True)], await marks(consumer, settings), there


async def _replayed(settings: Settings, choice: "Choice", *, again: bool, dry_run: bool) -> "LettersReplayed":
    from streams.letters.replay import replay_letters

    with cancelled_by_signals():  # an open transaction is ended, or payments behind it would wait
        return await replay_letters(settings, choice, again=again, dry_run=dry_run)


def _tell_replayed(done: "LettersReplayed", *, named: bool, dry_run: bool, as_json: bool) -> None:
    from collections import Counter

    from streams.letters.obstacles import Obstacle

    if as_json:
        stay = {str(place): obstacle.name for place, obstacle in sorted(done.obstacles.items())}
        typer.echo(json.dumps({"sent": done.sent, "dry_run": dry_run, "not_sent": stay}))
    else:
        typer.echo(f"{'Would send' if dry_run else 'Sent'} {done.sent:,} letters.")
        for obstacle, count in Counter(done.obstacles.values()).most_common():
            typer.echo(f"Not {count:,}: {obstacle}.")
    if named and set(done.obstacles.values()) - {Obstacle.REPLAYED}:
        raise typer.Exit(NOT_DONE)


def _tell_purge(wanted: "Purge") -> None:
    typer.echo(f"{wanted.count:,} letters:")
    for reason, count in wanted.reasons.most_common():
        typer.echo(f"{count:>10,} {reason}")
    if wanted.audited:
        typer.echo(
            f"The records of {wanted.audited:,} still lie on transactions: an audit of them will say unaccounted.",
        )


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, markup=False)
