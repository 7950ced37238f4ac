"""A decision as its topics hold it, written from what a worker has at hand.

The same as `codec.write_decision` writes of a `Decision`, in less time: numbers are written for a whole batch at once,
and no record is made that nobody reads.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson
from numpy.typing import NDArray

from models.features import FEATURES
from models.score import BASE, OTHER
from rules.decision import Decision

# By position: names, looked for one by one, are most of what making such a record takes.
_Line: Any = msgspec.defstruct("_Line", Decision.__struct_fields__, gc=False)
_encode = msgspec.json.Encoder().encode

NOTHING_TOLD = msgspec.Raw(b"[]")


_NAMES = [name.encode() for name in FEATURES]
_FIVE_AND_THE_REST = b"[%b]" % b",".join(
    b'{"feature":"%b","log_odds":%%b}' % name for name in (*[b"%b"] * 5, OTHER.encode(), BASE.encode())
)


def write_line(*values: object) -> bytes:
    """Write a decision by the values of all its fields, in their order; `Raw` is JSON already."""
    return _encode(_Line(*values))


def numbers(matrix: NDArray[Any]) -> list[bytes]:
    """The finite numbers of each row as JSON, without brackets."""
    return orjson.dumps(matrix, option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].split(b"],[") if len(matrix) else []


def features_told(row: bytes) -> msgspec.Raw:
    """The field `features` from a row of `numbers`."""
    return msgspec.Raw(b"[%b]" % row)


def contributions_told(told: Sequence[int], row: bytes) -> msgspec.Raw:
    """The field `contributions` from the five features told, by their numbers, and a row of `numbers`."""
    a, b, c, d, e = told  # one by one: it takes half of what any loop does
    of_a, of_b, of_c, of_d, of_e, of_others, base = row.split(b",")
    named = (_NAMES[a], of_a, _NAMES[b], of_b, _NAMES[c], of_c, _NAMES[d], of_d, _NAMES[e], of_e, of_others, base)
    return msgspec.Raw(_FIVE_AND_THE_REST % named)
