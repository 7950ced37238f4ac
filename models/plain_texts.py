"""Texts of records in Python: their form, long runs of digits, and numbers that stand for them."""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from models.fingerprint import fingerprint, id_hash

__all__ = ["LONG_RUN", "NOT_PLAIN", "Contents", "Forms", "has_long_run", "id_hash", "peculiarities"]

NOT_PLAIN, LONG_RUN = 1, 2  # bits of `peculiarities`

_NOTHING, _NEXT = "\0", "\n"  # no pattern takes one of them
_TO_ZERO = bytes(0x30 if 0x30 <= byte <= 0x39 else byte for byte in range(256))
_THIRTEEN_DIGITS = b"0" * 13


class Forms:
    """What some texts of a record look like: each one None, or as its pattern says. All are checked by one search."""

    def __init__(self, patterns: Mapping[str, str]) -> None:
        self._texts = attrgetter(*patterns)
        self._all = re.compile(_NEXT.join(f"(?:{pattern}|{_NOTHING})" for pattern in patterns.values()))

    def holds(self, record: object) -> bool:
        """Whether every text is as its pattern says, or not there. Of records whose texts have no NUL character."""
        texts = [_NOTHING if text is None else text for text in self._texts(record)]
        return self._all.fullmatch(_NEXT.join(texts)) is not None


class Contents:
    """Fingerprints of what records say in some of their fields; `encode` writes the values of these as JSON.

    Values that are not there leave no trace at the end, so that a field appended later changes no earlier fingerprint.
    """

    def __init__(self, fields: Sequence[str], encode: Callable[[tuple[Any, ...]], bytes]) -> None:
        self._values, self._encode = attrgetter(*fields), encode

    def fingerprint(self, record: object) -> int:
        """32 bits that stand for it."""
        return fingerprint(self._encode(self._values(record)).rstrip(b"],nul"))


def has_long_run(data: bytes) -> bool:
    """Whether thirteen digits follow each other, spaces and hyphens between them not counted."""
    return _THIRTEEN_DIGITS in data.translate(_TO_ZERO, b" -")


def peculiarities(data: bytes) -> int:
    """NOT_PLAIN of what is not ASCII or has a backslash, LONG_RUN as of `has_long_run`; 0 for most records."""
    plain = data.isascii() and b"\\" not in data
    return (0 if plain else NOT_PLAIN) | (LONG_RUN if has_long_run(data) else 0)
