"""A case as it was read from the store, with the decision that it is about."""

from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from rules.decision import Decision, InputPosition
from rules.review_case import Case
from streams.wire.codec import read_decision

_case = msgspec.json.Decoder(Case)
_place = msgspec.json.Decoder(InputPosition)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCase:
    """A case as it was read, how many words were taken by then, and the decision that it is about."""

    case: Case
    version: int
    decision: Decision
    place: InputPosition


def kept_case(row: sa.Row[Any]) -> KeptCase:
    """Of a whole row of `cases`."""
    return KeptCase(
        case=_case.decode(row.document),
        version=row.version,
        decision=read_decision(row.decision.encode()),
        place=_place.decode(row.place),
    )
