"""Card numbers in records: found, and masked before anything is written.

A card number is 13 to 19 digits that pass the Luhn check (ISO/IEC 7812-1), contiguous or grouped as cards are printed
(4-4-4-4, with a last group of 1 to 3, 4-6-5 or 4-6-4) with one separator throughout, a space or a hyphen, and not part
of a longer run of digits. It is looked for in the whole record as it came: names, values, numbers, nested or not, JSON
or broken, and also where digits are written as JSON escapes (`\\u0034`).

Not taken for one:

- digits within a UUID, or within a hexadecimal run of 24 or more that has a letter (digests, object ids);
- what no network issues: a leading 0; a leading 1 unless 15 digits (UATP); a leading 2 unless 16 or 19 digits
  (Mastercard, Mir). This spares times since the epoch in ms, us and ns, dates written 20261231235959, padded numbers;
- the digits after a decimal point.

Other identifiers that hold a run of 13 to 19 digits starting with 3 to 9 are refused one time in ten, for that is how
often Luhn holds by chance: give such identifiers a letter in their midst. Digits of other scripts, percent encoding,
base64 and UTF-16 are not looked into.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator

from models.texts import has_long_run

# A digit first and what stands before it after that: so the search skips to digits, and is ten times as fast.
_START = re.compile(r"[0-9](?<![0-9][0-9])(?<![0-9]\.[0-9])(?=[0-9]{12}|[0-9]{3}[ -][0-9]{4})")
_SHAPES = (
    re.compile(r"[0-9]{13,19}(?![0-9])"),
    re.compile(r"[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}\1[0-9]{1,3}(?![0-9])"),
    re.compile(r"[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?![0-9])"),
    re.compile(r"[0-9]{4}([ -])[0-9]{6}\1[0-9]{4,5}(?![0-9])"),
)
_ISSUED = re.compile(r"1[0-9]{14}|2[0-9]{15}(?:[0-9]{3})?|[3-9][0-9]{12,18}")
_OPAQUE = re.compile(
    r"(?<![0-9A-Fa-f])(?:"
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Fa-f])"
    r"|(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{24,})"
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|[^u])", re.DOTALL)
_ESCAPE_SHRINKS_BY = len(r"\u0034") - 1

_AS_PRINTED = str.maketrans("", "", " -")
_LUHN_SINGLE = bytes(max(0, byte - 0x30) % 10 for byte in range(256))
_LUHN_DOUBLE = bytes(sum(divmod(2 * digit, 10)) for digit in _LUHN_SINGLE)


def holds_card_number(record: bytes) -> bool:
    """Say whether a card number stands anywhere in a record. About 1 us where the record has no long run of digits."""
    escaped = b"\\u" in record
    if not escaped and not has_long_run(record):
        return False
    text, _ = _unescaped(record.decode("latin-1"))
    return any(True for _ in _card_numbers(text))


def mask(data: bytes) -> tuple[bytes, int]:
    """Replace all digits but the last four of each card number by `*`; the length stays. Also say how many there were.

    >>> mask(b'{"note": "4111-1111-1111-1111"}')
    (b'{"note": "****-****-****-1111"}', 1)
    """
    if b"\\u" not in data and not has_long_run(data):
        return data, 0
    masked, count = _masked(data.decode("latin-1"))
    return (masked.encode("latin-1"), count) if count else (data, 0)


def mask_text(text: str) -> str:
    """Mask card numbers in text, for logs and messages.

    >>> mask_text("declined: 378282246310005")
    'declined: ***********0005'
    """
    return _masked(text)[0]


def _unescaped(raw: str) -> tuple[str, list[int]]:
    """Resolve JSON's `\\uXXXX`; also give the places of the resolved characters in the new text."""
    places: list[int] = []
    if "\\u" not in raw:
        return raw, places

    def resolve(escape: re.Match[str]) -> str:
        if escape[1] is None:
            return escape[0]
        places.append(escape.start() - _ESCAPE_SHRINKS_BY * len(places))
        return chr(int(escape[1], 16))

    return _ESCAPE.sub(resolve, raw), places


def _card_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Give start and end of each card number, in order of their starts; grouped ones may overlap."""
    if not has_long_run(text.encode("latin-1", "replace")):
        return
    opaque = _OPAQUE.finditer(text)
    opaque_from = opaque_to = 0
    for start in (match.start() for match in _START.finditer(text)):
        end = _card_number_end(text, start)
        if end is None:
            continue
        while opaque_to <= start and (token := next(opaque, None)):
            opaque_from, opaque_to = token.span()
        if not opaque_from <= start < opaque_to:
            yield start, end


def _card_number_end(text: str, start: int) -> int | None:
    for shape in _SHAPES:
        candidate = shape.match(text, start)
        if candidate is not None and _is_card_number(candidate[0].translate(_AS_PRINTED)):
            return candidate.end()
    return None


def _is_card_number(digits: str) -> bool:
    if _ISSUED.fullmatch(digits) is None:
        return False
    backwards = digits.encode()[::-1]
    return (sum(backwards[::2].translate(_LUHN_SINGLE)) + sum(backwards[1::2].translate(_LUHN_DOUBLE))) % 10 == 0


def _masked(raw: str) -> tuple[str, int]:
    text, places = _unescaped(raw)

    def in_raw(place: int) -> int:
        return place + _ESCAPE_SHRINKS_BY * bisect_left(places, place)

    pieces: list[str] = []
    count = written = 0
    for start, end in _card_numbers(text):
        digits = [place for place in range(start, end) if text[place].isdigit()]
        for place in digits[:-4]:
            begins, ends = in_raw(place), in_raw(place + 1)
            if begins >= written:
                pieces += raw[written:begins], "*" * (ends - begins)
                written = ends
        count += 1
    return "".join((*pieces, raw[written:])), count
