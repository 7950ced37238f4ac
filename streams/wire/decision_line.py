"""A decision as its topics hold it, written from what a worker has at hand.

The same as `codec.write_decision` writes of a `Decision`, in less time: numbers are written for a whole batch at once,
and no record is made that nobody reads.
"""

from collections.abc import Iterable, Sequence
from operator import add
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


def _told(names: Iterable[str]) -> list[bytes]:
    return [b'{"feature":"%b","log_odds":' % name.encode() for name in names]


_FEATURES, _REST = _told(FEATURES), _told((OTHER, BASE))


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
    """The field `contributions` from the numbers of the features told and a row of `numbers`."""
    heads = [_FEATURES[each] for each in told] + _REST
    return msgspec.Raw(b"[%b}]" % b"},".join(map(add, heads, row.split(b","))))
