"""Where the keys and values of a TOML text stand, which `tomllib` does not tell.

Only for texts that `tomllib` accepts: this reader follows the grammar (toml.io, version 1.0) and checks nothing.
"""

import re
from bisect import bisect_right
from collections import Counter

Path = tuple[str | int, ...]
Place = tuple[int, int]  # line and column, characters from 1

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_KEY = re.compile(r"[ \t]*(?:(?P<bare>[A-Za-z0-9_-]+)|'(?P<literal>[^']*)'|\"(?P<basic>(?:[^\"\\]|\\.)*)\")[ \t]*")
_STRING = re.compile(
    "|".join(
        (
            r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})',  # up to two quotes may stand before the closing three
            r"'''.*?'''(?:'{0,2})",
            r'"(?:[^"\\]|\\.)*"',
            r"'[^']*'",
        )
    ),
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")
_CHARACTER = re.compile(r"(?P<joined>\\[ \t]*\n[ \t\n]*)|\\(?:u.{4}|U.{8}|.)|.", re.DOTALL)


class TomlPlaces:
    """Line and column of every key and value of one text, by path such as `("rule", 0, "if")`."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._line_starts = [0, *(found.end() for found in re.finditer("\n", self._text))]
        scanner = _Scanner(self._text)
        scanner.document()
        self._keys = scanner.keys
        self._values = scanner.values

    def key(self, path: Path) -> Place:
        """Where the key stands; of a key that is not there, the nearest table around it."""
        while path and path not in self._keys:
            path = path[:-1]
        return self._place(self._keys.get(path, 0))

    def value(self, path: Path) -> Place:
        """Where the value begins."""
        return self._place(self._values[path]) if path in self._values else self.key(path)

    def within(self, path: Path, value: str, line: int, column: int) -> Place:
        """Where line and column of the text `value`, a string that stands at `path`, are in the file."""
        if path not in self._values:
            return self.key(path)
        line_start = sum(len(before) + 1 for before in value.split("\n")[: line - 1])
        return self._place(_character_offsets(self._text, self._values[path])[line_start + column - 1])

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1


def _character_offsets(text: str, start: int) -> list[int]:
    """Where each character of the string at `start` is written, and last where the string closes."""
    token = _STRING.match(text, start)
    if token is None:
        return [start]
    written = token.group()
    quotes = 3 if written[:3] in ('"""', "'''") else 1
    at = start + quotes
    if quotes == 3 and text.startswith("\n", at):
        at += 1
    end = token.end() - quotes
    if written[0] == "'":
        return [*range(at, end + 1)]
    found = _CHARACTER.finditer(text, at, end)
    return [*(each.start() for each in found if not each["joined"]), end]


class _Scanner:
    """One pass over the text; `keys` and `values` collect offsets."""

    def __init__(self, text: str) -> None:
        self.keys: dict[Path, int] = {}
        self.values: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._table_counts: Counter[Path] = Counter()

    def document(self) -> None:
        table: Path = ()
        self._skip_blank()
        while self._at < len(self._text):
            if self._sees("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip_blank()

    def _sees(self, symbol: str) -> bool:
        return self._text.startswith(symbol, self._at)

    def _skip_blank(self) -> None:
        self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        if found := pattern.match(self._text, self._at):
            self._at = found.end()

    def _header(self) -> Path:
        start = self._at
        brackets = 2 if self._sees("[[") else 1
        self._at += brackets
        names = self._names()
        self._at += brackets
        path = self._resolved(names)
        if brackets == 2:
            array = (*self._resolved(names[:-1]), names[-1])
            self._table_counts[array] += 1
            path = (*array, self._table_counts[array] - 1)
        self.keys[path] = start
        return path

    def _resolved(self, path: Path) -> Path:
        """The path with the index of the newest table after each array of tables."""
        resolved: Path = ()
        for part in path:
            resolved = (*resolved, part)
            if resolved in self._table_counts:
                resolved = (*resolved, self._table_counts[resolved] - 1)
        return resolved

    def _names(self) -> tuple[str, ...]:
        names = [self._name()]
        while self._sees("."):
            self._at += 1
            names.append(self._name())
        return tuple(names)

    def _name(self) -> str:
        found = _KEY.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found["bare"] or found["literal"] or found["basic"] or ""

    def _pair(self, table: Path) -> None:
        start = self._at
        path = (*table, *self._names())
        for length in range(len(table) + 1, len(path) + 1):
            self.keys.setdefault(path[:length], start)
        self._at += 1  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip_blank()
        self.values[path] = self._at
        if self._sees("["):
            self._array(path)
        elif self._sees("{"):
            self._inline_table(path)
        else:
            self._skip(_STRING if self._sees('"') or self._sees("'") else _SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        self._skip_blank()
        index = 0
        while not self._sees("]"):
            self.keys[*path, index] = self._at
            self._value((*path, index))
            index += 1
            self._skip_blank()
            if self._sees(","):
                self._at += 1
                self._skip_blank()
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        self._skip_blank()
        while not self._sees("}"):
            self._pair(path)
            self._skip_blank()
            if self._sees(","):
                self._at += 1
                self._skip_blank()
        self._at += 1
