"""Words of the rule language: text into tokens, each with its line and column."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

MAX_LENGTH = 4_096  # characters in one expression


class ExpressionError(ValueError):
    """What is wrong with an expression, and where; line and column count characters from 1."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(f"{line}:{column}: {message}")
        self.line = line
        self.column = column
        self.message = message


class TokenKind(Enum):
    """What a token is."""

    NUMBER = auto()
    TEXT = auto()
    WORD = auto()
    SYMBOL = auto()
    END = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One word as written, where it begins."""

    kind: TokenKind
    text: str
    line: int
    column: int

    def error(self, message: str) -> ExpressionError:
        """An error that points here."""
        return ExpressionError(self.line, self.column, message)

    def __str__(self) -> str:
        return "the end" if self.kind is TokenKind.END else f"'{self.text}'"


_TOKEN = re.compile(
    r"""
      (?P<SPACE>[ \t\r\n]+)
    | (?P<NUMBER>[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?)(?![\w.])
    | (?P<TEXT>'[^'\n]*'|"[^"\n]*")
    | (?P<WORD>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<SYMBOL><=|>=|==|!=|[-<>+*/(),\[\]])
    """,
    re.VERBOSE,
)

_HINTS = {
    "'": "this text is not closed on its line",
    '"': "this text is not closed on its line",
    "=": "write '==' to compare",
    "!": "write '!=' or 'not'",
    "&": "write 'and'",
    "|": "write 'or'",
    ".": "a name has no parts, and a number begins with a digit",
}


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of `text` and an END; raise ExpressionError at the first character that starts none."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(1, 1, f"{len(text)} characters; an expression has at most {MAX_LENGTH}")
    at, line, line_start = 0, 1, 0
    while at < len(text):
        column = at - line_start + 1
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise ExpressionError(line, column, _complaint(text[at]))
        word = found.group()
        if found.lastgroup == "SPACE":
            newlines = word.count("\n")
            line += newlines
            line_start = at + word.rindex("\n") + 1 if newlines else line_start
        else:
            yield Token(kind=TokenKind[found.lastgroup], text=word, line=line, column=column)
        at = found.end()
    yield Token(kind=TokenKind.END, text="", line=line, column=at - line_start + 1)


def _complaint(character: str) -> str:
    if "0" <= character <= "9":
        return "not a number: digits, '_' between them, one decimal point"
    return _HINTS.get(character, f"unexpected character {character!a}")
