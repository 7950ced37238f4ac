"""Card numbers by their digits: how they are grouped, what networks issue, and Luhn's check (ISO/IEC 7812-1)."""

import re
from collections.abc import Iterator

# A digit first and what stands before it after that: so the search skips to digits, and is ten times as fast.
_START = re.compile(r"[0-9](?<![0-9][0-9])(?<![0-9]\.[0-9])(?=[0-9]{12}|[0-9]{3}[ -][0-9]{4})")
_SHAPES = (
    re.compile(r"[0-9]{13,19}(?![0-9])"),
    re.compile(r"[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}\1[0-9]{1,3}(?![0-9])"),
    re.compile(r"[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?![0-9])"),
    re.compile(r"[0-9]{4}([ -])[0-9]{6}\1[0-9]{4,5}(?![0-9])"),
)
_ISSUED = re.compile(r"1[0-9]{14}|2[0-9]{15}(?:[0-9]{3})?|[3-9][0-9]{12,18}")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|[^u])", re.DOTALL)

_AS_PRINTED = str.maketrans("", "", " -")
_LUHN_SINGLE = bytes(max(0, byte - 0x30) % 10 for byte in range(256))
_LUHN_DOUBLE = bytes(sum(divmod(2 * digit, 10)) for digit in _LUHN_SINGLE)

ESCAPE_SHRINKS_BY = len(r"\u0034") - 1


def card_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each, in order of their starts; grouped ones may overlap. Whatever they are a part of."""
    for match in _START.finditer(text):
        start = match.start()
        for shape in _SHAPES:
            candidate = shape.match(text, start)
            if candidate is not None and _is_card_number(candidate[0].translate(_AS_PRINTED)):
                yield start, candidate.end()
                break


def unescaped(raw: str) -> tuple[str, list[int]]:
    """Resolve JSON's `\\uXXXX`; also give the places of the resolved characters in the new text."""
    places: list[int] = []
    if "\\u" not in raw:
        return raw, places

    def resolve(escape: re.Match[str]) -> str:
        if escape[1] is None:
            return escape[0]
        places.append(escape.start() - ESCAPE_SHRINKS_BY * len(places))
        return chr(int(escape[1], 16))

    return _ESCAPE.sub(resolve, raw), places


def _is_card_number(digits: str) -> bool:
    if _ISSUED.fullmatch(digits) is None:
        return False
    backwards = digits.encode()[::-1]
    return (sum(backwards[::2].translate(_LUHN_SINGLE)) + sum(backwards[1::2].translate(_LUHN_DOUBLE))) % 10 == 0
