"""Alerts on the wire: CloudEvents 1.0 in structured JSON, one event to a record, keyed by the incident's dedup_key."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import orjson
from msgspec import Meta

from models.alert import Alert
from models.transaction import UtcTime
from streams.wire.codec import read_object, read_record

CONTENT_TYPE = "application/cloudevents+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """An alert as an event: who says it, when, and of what kind (CloudEvents 1.0.2, section 3.1)."""

    id: Annotated[str, Meta(min_length=1, description="unique for each event of a source")]
    source: Annotated[str, Meta(min_length=1, description="the process that says it, a URI reference")]
    type: Annotated[str, Meta(pattern=r"\Aholdfast\.[a-z_]+\.[a-z_]+\Z", description="holdfast.<area>.<what>")]
    time: UtcTime
    subject: Annotated[str, Meta(min_length=1, description="the incident: the alert's dedup_key")]
    data: Alert
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


def event_of(alert: Alert, *, event_id: str, source: str, area: str, what: str, time: datetime) -> AlertEvent:
    """Wrap an alert as an event; `event_id` is the same whenever the same event is sent again."""
    return AlertEvent(
        id=event_id, source=source, type=f"holdfast.{area}.{what}", time=time, subject=alert.dedup_key, data=alert
    )


def write_alert(event: AlertEvent) -> bytes:
    """Write an alert as its topic holds it."""
    return orjson.dumps(event, option=orjson.OPT_UTC_Z)


def read_alert(value: bytes | None) -> AlertEvent:
    """Read one record of `alerts`. Raises MalformedRecord, and nothing else, for any bytes."""
    return read_record(read_object(value), AlertEvent)
