"""Ways to damage a good transaction's record, each giving the key and value to send instead."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from models.simulator.chance import pick, whole

Plain = dict[str, Any]  # a good transaction as JSON has it
Record = tuple[bytes | None, bytes | None]  # key and value
Maker = Callable[[Plain, Random], Record]

AMOUNT = "@amount@"


def card_number(rng: Random, prefix: str = "4", digits: int = 16) -> str:
    """A number that passes the Luhn check, as card numbers do; nobody's on purpose."""
    payload = prefix + "".join(str(whole(rng, 0, 9)) for _ in range(digits - 1 - len(prefix)))
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(payload)))
    return payload + str(-sum(sum(divmod(digit, 10)) for digit in doubled) % 10)


def key_of(good: Plain) -> bytes:
    """The key that the good record has."""
    key: str = good["pan_token"]
    return key.encode()


def as_json(plain: object) -> bytes:
    """What a careful producer would send."""
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False).encode()


def sent(value: bytes | None) -> Maker:
    """This value, whatever the transaction."""
    return lambda good, _: (key_of(good), value)


def rewritten(rewrite: Callable[[bytes], bytes]) -> Maker:
    """The good record's bytes, rewritten."""
    return lambda good, _: (key_of(good), rewrite(as_json(good)))


def holding(**fields: object) -> Maker:
    """With these fields instead of, or beside, its own."""
    return lambda good, _: (key_of(good), as_json(good | fields))


def lacking(field: str) -> Maker:
    """Without a field."""
    return lambda good, _: (key_of(good), as_json({name: good[name] for name in good if name != field}))


def amount_written(literal: str) -> Maker:
    """The amount written as no JSON writer would."""

    def make(good: Plain, _: Random) -> Record:
        text = as_json(good | {"amount_minor": AMOUNT})
        return key_of(good), text.replace(json.dumps(AMOUNT).encode(), literal.encode())

    return make


def noted(note: bytes) -> Maker:
    """A field that we do not know, holding these bytes between its quotes."""
    return rewritten(lambda value: value[:-1] + b',"note":"' + note + b'"}')


def ahead(by: timedelta) -> Maker:
    """Later than it happened."""

    def make(good: Plain, _: Random) -> Record:
        later = datetime.fromisoformat(good["event_time"]) + by
        return key_of(good), as_json(good | {"event_time": later.isoformat()})

    return make


def with_card(place: Callable[[str], Plain], prefix: str = "4", digits: int = 16) -> Maker:
    """With the fields that `place` makes of a card number."""
    return lambda good, rng: (key_of(good), as_json(good | place(card_number(rng, prefix, digits))))


def card_as_token(good: Plain, rng: Random) -> Record:
    """With a card number in place of its token, in the key as well."""
    number = card_number(rng)
    return number.encode(), as_json(good | {"pan_token": number})


def card_escaped(good: Plain, rng: Random) -> Record:
    """With a card number whose digits are written as JSON escapes."""
    escaped = "".join(f"\\u{ord(digit):04x}" for digit in card_number(rng)).encode()
    return noted(escaped)(good, rng)


def keyed(key: Callable[[bytes], bytes | None]) -> Maker:
    """Under another key."""
    return lambda good, _: (key(key_of(good)), as_json(good))


def grouped(number: str, separator: str) -> str:
    """A number in groups of four, as cards print it."""
    return separator.join(number[place : place + 4] for place in range(0, len(number), 4))


def truncated(good: Plain, rng: Random) -> Record:
    """Cut anywhere."""
    value = as_json(good)
    return key_of(good), value[: whole(rng, 1, len(value) - 1)]


def other_amount(good: Plain, rng: Random) -> Record:
    """The same payment of another amount."""
    return key_of(good), as_json(good | {"amount_minor": good["amount_minor"] % 1_000_000 + whole(rng, 1, 500)})


def other_merchant(good: Plain, rng: Random) -> Record:
    """The same payment somewhere else."""
    return key_of(good), as_json(good | {"merchant_id": f"mer_other{whole(rng, 0, 9_999)}"})


def other_currency(good: Plain, rng: Random) -> Record:
    """The same payment in other money."""
    others = [code for code in ("EUR", "USD", "JPY") if code != good["currency"]]
    return key_of(good), as_json(good | {"currency": pick(rng, others)})
