"""Dead letters as people read them in a terminal, and as JSON."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from streams.letters.letter import Letter, Marks
from streams.wire.dead_letter import Header
from streams.wire.letter_replay import replay_of

BYTES_A_LINE = 16


def letter_table(letters: Iterable[Letter], marks: Marks) -> Table:
    """A row for each letter."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("letter", no_wrap=True)
    table.add_column("when, UTC", no_wrap=True)
    table.add_column("came from", overflow="fold")
    table.add_column("reason", overflow="fold", min_width=20)
    table.add_column("bytes", justify="right", no_wrap=True)
    for letter in letters:
        row = plain_letter(letter, marks)
        came_from = "" if letter.report is None else f"{row['topic']} {row['partition']}:{row['offset']}"
        why = f"{row['reason']}\n{_tame(row['detail'] or '')}"
        # Text, because square brackets of a record are no markup of ours.
        table.add_row(
            f"{row['letter']}\nreplayed" if row["replayed"] else row["letter"],
            f"{letter.written_at:%m-%d %H:%M:%S}",
            Text(_tame(came_from)),
            Text(why),
            f"{row['bytes']:,}",
        )
    return table


def plain_letter(letter: Letter, marks: Marks) -> dict[str, Any]:
    """One letter as a JSON object; what only its headers tell is null where they are not those of a letter."""
    report = letter.report
    record = report.record if report is not None else None
    return {
        "letter": str(letter.place),
        "written_at": letter.written_at.isoformat().replace("+00:00", "Z"),
        "topic": record.topic if record is not None else None,
        "partition": record.partition if record is not None else None,
        "offset": record.offset if record is not None else None,
        "reason": letter.reason,
        "detail": report.detail if report is not None else None,
        "bytes": len(letter.value or b""),
        "masked": report.masked if report is not None else None,
        "replay_of": replay_of(report) if report is not None else None,
        "replayed": letter.is_marked(marks),
    }


def letter_page(letter: Letter, marks: Marks) -> Iterable[Text]:
    """Everything of one letter, line by line."""
    for name, value in plain_letter(letter, marks).items():
        yield Text.assemble((f"{name:<11}", "dim"), "-" if value is None else _tame(str(value)))
    yield Text.assemble((f"{'key':<11}", "dim"), _in_a_line(letter.key))
    yield Text("headers", style="dim")
    yield from _headers(letter.headers)
    yield Text("value", style="dim")
    yield from map(Text, _value(letter.value))


def hexdump(data: bytes) -> list[str]:
    """Offset, bytes and what of them is ASCII, sixteen to a line.

    >>> hexdump(b"no JSON")
    ['00000000  6e 6f 20 4a 53 4f 4e                             |no JSON|']
    """
    return [_dumped(start, data[start : start + BYTES_A_LINE]) for start in range(0, len(data), BYTES_A_LINE)]


def printable_text(data: bytes) -> str | None:
    """UTF-8 text that a terminal shows as it is; None where there is anything that could play with the terminal."""
    try:
        text = data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None
    return text if all(each.isprintable() or each in "\n\t" for each in text) else None


def _tame(text: str) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _value(value: bytes | None) -> Sequence[str]:
    if value is None:
        return ["none"]
    text = printable_text(value)
    return text.split("\n") if text is not None and _is_json(value) else hexdump(value)


def _is_json(value: bytes) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def _headers(headers: Iterable[Header]) -> Iterable[Text]:
    for name, content in headers:
        yield Text(f"  {_in_a_line(name.encode())}: {_in_a_line(content)}")


def _in_a_line(data: bytes | None) -> str:
    if data is None:
        return "none"
    text = printable_text(data)
    return text if text is not None and "\n" not in text else f"hex {data.hex()}"


def _dumped(start: int, line: bytes) -> str:
    in_ascii = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in line)
    return f"{start:08x}  {line.hex(' '):<{BYTES_A_LINE * 3}} |{in_ascii}|"
