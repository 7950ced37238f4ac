"""`holdfast decide`: sends one transaction and waits for what becomes of it."""

import asyncio
import json
import sys
import uuid
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rules.decision import Decision, Outcome
from streams.operating.context import settings_of
from streams.operating.durations import seconds_of
from streams.wire.dead_letter import DeadLetterReport

if TYPE_CHECKING:
    from streams.settings import Settings

EXIT_CODES = {Outcome.APPROVE: 0, Outcome.REVIEW: 10, Outcome.BLOCK: 11}
DEAD_LETTER = 12
NO_DECISION = 3

Answer = Decision | DeadLetterReport | None


def decide(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="A transaction as a JSON object; - is standard input.")] = "-",
    *,
    wait: Annotated[float, typer.Option(parser=seconds_of, help="How long to wait for the decision.")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="The decision as its topic has it.")] = False,
) -> None:
    """Send one transaction and wait for its decision; an id and the time are filled in where missing.

    Exit 0 approve, 10 review, 11 block, 12 dead letter, 3 no decision in time.
    """
    settings = settings_of(ctx)
    given = _read(file)
    filled = _fill_in(given, datetime.now(UTC))
    if filled and not as_json:
        typer.echo(f"filled in: {', '.join(f'{name} {given[name]}' for name in filled)}", err=True)
    answer, raw = asyncio.run(decide_one(settings, given, wait_seconds=wait))
    if as_json:
        typer.echo(raw or json.dumps(None))
    else:
        _print(answer, wait)
    raise typer.Exit(_exit_code(answer))


async def decide_one(settings: "Settings", document: dict[str, Any], *, wait_seconds: float) -> tuple[Answer, str]:
    """Send a transaction, as it is, and wait for its end: a decision, a dead letter, or None; and that as JSON."""
    import orjson

    from streams.broker.clients import reader, sender
    from streams.broker.reading import begin_at, partitions_of
    from streams.broker.topic_admin import require_topics
    from streams.broker.topics import DECISIONS, Topic, name_of

    await require_topics(settings)
    async with AsyncExitStack() as opened:
        consumer, producer = reader(settings.broker, fetch_max_wait_ms=50), sender(settings.broker)
        for client in (consumer, producer):
            opened.push_async_callback(client.stop)
            await client.start()
        partitions = partitions_of(settings, [*DECISIONS.values(), Topic.DEAD_LETTERS])
        begin_at(consumer, await consumer.end_offsets(partitions))  # before sending: or it is missed
        token = document.get("pan_token")
        key = token.encode() if isinstance(token, str) else None
        topic = name_of(Topic.TRANSACTIONS, settings.topics)
        place = await producer.send_and_wait(topic, key=key, value=orjson.dumps(document))
        dead_letters = name_of(Topic.DEAD_LETTERS, settings.topics)
        try:
            async with asyncio.timeout(wait_seconds):
                async for record in consumer:
                    if answer := _answer(record, (place.partition, place.offset), dead_letters):
                        return answer
        except TimeoutError:
            pass
    return None, ""


def _read(file: str) -> dict[str, Any]:
    """The transaction, checked no further than must be before it may be sent at all."""
    from streams.wire.card_guard import holds_card_number

    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        document = json.loads(content)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise typer.BadParameter(f"{file}: no JSON: {error}") from error
    if not isinstance(document, dict):
        raise typer.BadParameter(f"{file}: a transaction is a JSON object")
    if holds_card_number(content):
        raise typer.BadParameter(f"{file}: holds a card number; send a token in its place")
    return document


def _fill_in(document: dict[str, Any], now: datetime) -> list[str]:
    """Give the names of what was missing and is there now."""
    ours = {
        "transaction_id": f"cli-{uuid.uuid4()}",
        "event_time": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    missing = [name for name in ours if name not in document]
    document.update({name: ours[name] for name in missing})
    return missing


def _answer(record: Any, place: tuple[int, int], dead_letters: str) -> tuple[Answer, str] | None:
    from streams.wire.codec import MalformedRecord, read_decision
    from streams.wire.dead_letter import NotADeadLetter, read_dead_letter

    try:
        if record.topic == dead_letters:
            letter = read_dead_letter(record.key, record.value, record.headers)
            plain = json.dumps({"dead_letter": letter.reason, "detail": letter.detail})
            return (letter, plain) if (letter.record.partition, letter.record.offset) == place else None
        decision = read_decision(record.value)
    except (MalformedRecord, NotADeadLetter):  # somebody else's
        return None
    return (decision, record.value.decode()) if (decision.input.partition, decision.input.offset) == place else None


def _print(answer: Answer, waited: float) -> None:
    from rich.console import Console

    from streams.operating.showing import decision_card

    console = Console(highlight=False)
    if answer is None:
        console.print(f"[yellow]No decision within {waited:g} s.[/yellow]")
        console.print("Is a worker running? A payment that was sent before, id and content, is not decided again.")
    elif isinstance(answer, Decision):
        console.print(decision_card(answer))
    else:
        console.print(f"[bold red]DEAD LETTER[/bold red] {answer.reason}: {answer.detail}", soft_wrap=True)


def _exit_code(answer: Answer) -> int:
    if answer is None:
        return NO_DECISION
    return EXIT_CODES[answer.outcome] if isinstance(answer, Decision) else DEAD_LETTER
