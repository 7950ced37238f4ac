"""What operators say on `control`: their word on the mode, and in a sandbox what the model is to do wrong."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import orjson
from msgspec import Meta

from models.transaction import UtcTime
from streams.wire.codec import read_object, read_record
from streams.wire.scorer_fault import FaultKind, ScorerFault

MODE, FAULT, MODEL = b"mode", b"fault", b"model"  # the keys


class Force(StrEnum):
    """Whose answer is used, whatever the circuit breaker says."""

    RULES = "rules"
    MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeOrder:
    """Who wants what, why and until when; without `force` the word is given back.

    Raises ValueError for a model that would be kept in use without an end.
    """

    force: Force | None = None
    who: str = ""
    why: str = ""
    until: UtcTime | None = None

    def __post_init__(self) -> None:
        if self.force is Force.MODEL and self.until is None:
            raise ValueError("a model is kept in use until a time only")

    def holds(self, now: datetime) -> bool:
        """Whether anything is forced at that moment."""
        return self.force is not None and (self.until is None or self.until > now)


def write_order(order: ModeOrder) -> bytes:
    """Write it as the topic holds it."""
    return orjson.dumps(order, option=orjson.OPT_UTC_Z)


def read_order(value: bytes | None) -> ModeOrder:
    """Read it; a tombstone gives the word back. Raises MalformedRecord, and nothing else, for any bytes."""
    return ModeOrder() if value is None else read_record(read_object(value), ModeOrder)


class ModelVerb(StrEnum):
    """What the learner is to do."""

    ROLLBACK = "rollback"  # go back to a model that it has kept
    PROMOTE = "promote"  # let a candidate decide that failed its exam


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOrder:
    """The learner is to have this model decide, and to go on from it. Obeyed once."""

    order_id: Annotated[str, Meta(min_length=1, max_length=64)]
    model_version: Annotated[str, Meta(min_length=1)]
    verb: ModelVerb = ModelVerb.ROLLBACK
    who: str = ""
    why: str = ""


def write_model_order(order: ModelOrder) -> bytes:
    """Write it as the topic holds it."""
    return orjson.dumps(order)


def read_model_order(value: bytes) -> ModelOrder:
    """Read it. Raises MalformedRecord, and nothing else, for any bytes."""
    return read_record(read_object(value), ModelOrder)


def write_fault(fault: ScorerFault) -> bytes:
    """Write it as the topic holds it."""
    return orjson.dumps(fault)


def read_fault(value: bytes | None) -> ScorerFault:
    """Read it; a tombstone ends it. Raises MalformedRecord, and nothing else, for any bytes."""
    return ScorerFault(kind=FaultKind.NONE) if value is None else read_record(read_object(value), ScorerFault)
