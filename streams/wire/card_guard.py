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

from models.card_numbers import ESCAPE_SHRINKS_BY, card_numbers, unescaped
from models.texts import may_hold_card_number

_OPAQUE = re.compile(
    r"(?<![0-9A-Fa-f])(?:"
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Fa-f])"
    r"|(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{24,})"
)


def holds_card_number(record: bytes) -> bool:
    """Say whether a card number stands anywhere in a record. About 1 us where no digits in it could be one."""
    if not may_hold_card_number(record):
        return False
    text, _ = unescaped(record.decode("latin-1"))
    return any(True for _ in _card_numbers(text))


def mask(data: bytes) -> tuple[bytes, int]:
    """Replace all digits but the last four of each card number by `*`; the length stays. Also say how many there were.

    >>> mask(b'{"note": "4111-1111-1111-1111"}')
    (b'{"note": "****-****-****-1111"}', 1)
    """
    if not may_hold_card_number(data):
        return data, 0
    masked, count = _masked(data.decode("latin-1"))
    return (masked.encode("latin-1"), count) if count else (data, 0)


def mask_text(text: str) -> str:
    """Mask card numbers in text, for logs and messages.

    >>> mask_text("declined: 378282246310005")
    'declined: ***********0005'
    """
    return _masked(text)[0]


def _card_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Give start and end of each card number outside of what is opaque, in order of their starts."""
    opaque = _OPAQUE.finditer(text)
    opaque_from = opaque_to = 0
    for start, end in card_numbers(text):
        while opaque_to <= start and (token := next(opaque, None)):
            opaque_from, opaque_to = token.span()
        if not opaque_from <= start < opaque_to:
            yield start, end


def _masked(raw: str) -> tuple[str, int]:
    text, places = unescaped(raw)

    def in_raw(place: int) -> int:
        return place + ESCAPE_SHRINKS_BY * bisect_left(places, place)

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
