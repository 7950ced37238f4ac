"""Texts of records in Python: their form, what is peculiar in their bytes, and numbers that stand for them."""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from models.card_numbers import card_numbers, unescaped
from models.fingerprint import fingerprint, id_hash

__all__ = ["CARD_NUMBER", "NOT_PLAIN", "Contents", "Forms", "id_hash", "may_hold_card_number", "peculiarities"]

NOT_PLAIN, CARD_NUMBER = 1, 2  # bits of `peculiarities`

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


def may_hold_card_number(data: bytes) -> bool:
    """Whether there are `models.card_numbers` in it once its escapes are resolved, be they a part of something else."""
    if b"\\u" not in data and _THIRTEEN_DIGITS not in data.translate(_TO_ZERO, b" -"):
        return False
    text, _ = unescaped(data.decode("latin-1"))
    return any(True for _ in card_numbers(text))


def peculiarities(data: bytes) -> int:
    """NOT_PLAIN of what is not ASCII or has a backslash, CARD_NUMBER of what may hold one; 0 for most records."""
    plain = data.isascii() and b"\\" not in data
    return (0 if plain else NOT_PLAIN) | (CARD_NUMBER if may_hold_card_number(data) else 0)
