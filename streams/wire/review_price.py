"""The price of a review on the wire: what workers follow on `control`, and each move as a CloudEvent."""

from dataclasses import dataclass
from math import isfinite
from typing import Annotated, Literal

import orjson
from msgspec import Meta

from models.transaction import UtcTime
from rules.review_price import PriceMove, PriceReason
from streams.wire.codec import read_object, read_record

REVIEW_PRICE = b"review_price"  # the key on `control`


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOrder:
    """What a review is taken to cost from now on, minor units, and who says so."""

    review_minor: Annotated[int, Meta(ge=0)]
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChanged:
    """From what price to what, why, and how it stood with reviews."""

    before_minor: Annotated[int, Meta(ge=0)]
    after_minor: Annotated[int, Meta(ge=0)]
    reason: PriceReason
    waiting: Annotated[int, Meta(description="cases that were not closed")]
    arrived: Annotated[int, Meta(description="cases opened within window_seconds")]
    handled: Annotated[int, Meta(description="verdicts given within window_seconds")]
    window_seconds: float
    due_seconds: Annotated[float, Meta(description="how long cases had until they were due")]
    expected_wait_seconds: Annotated[float | None, Meta(description="null: nobody gave verdicts")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceEvent:
    """A move of the price as an event (CloudEvents 1.0.2, section 3.1)."""

    id: Annotated[str, Meta(min_length=1, description="unique for each event of a source")]
    source: Annotated[str, Meta(min_length=1, description="the console, a URI reference")]
    time: UtcTime
    data: PriceChanged
    subject: Literal["review"] = "review"
    type: Literal["holdfast.review_price.changed"] = "holdfast.review_price.changed"
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


def price_event(move: PriceMove, *, source: str) -> PriceEvent:
    """Wrap a move as an event; the same move has the same id."""
    load = move.load
    return PriceEvent(
        id=f"{source}.{round(move.at.timestamp() * 1_000_000)}",
        source=source,
        time=move.at,
        data=PriceChanged(
            before_minor=move.before_minor,
            after_minor=move.after_minor,
            reason=move.reason,
            waiting=load.waiting,
            arrived=load.arrived,
            handled=load.handled,
            window_seconds=load.window_seconds,
            due_seconds=load.due_seconds,
            expected_wait_seconds=load.expected_wait if isfinite(load.expected_wait) else None,
        ),
    )


def write_price_event(event: PriceEvent) -> bytes:
    """Write it as its topic holds it."""
    return orjson.dumps(event, option=orjson.OPT_UTC_Z)


def read_price_event(value: bytes | None) -> PriceEvent:
    """Read one record of `review-prices`. Raises MalformedRecord, and nothing else, for any bytes."""
    return read_record(read_object(value), PriceEvent)


def write_price_order(order: PriceOrder) -> bytes:
    """Write it as `control` holds it."""
    return orjson.dumps(order)


def read_price_order(value: bytes | None) -> PriceOrder | None:
    """Read it; a tombstone gives the price back to the settings. Raises MalformedRecord, and nothing else."""
    return None if value is None else read_record(read_object(value), PriceOrder)
