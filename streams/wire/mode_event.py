"""Changes of a worker's mode on the wire: CloudEvents 1.0 in structured JSON, one to a record, keyed by the worker."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import orjson
from msgspec import Meta

from models.transaction import UtcTime
from rules.mode import Mode, ModeChange, ModeReason, Vitals
from streams.wire.codec import read_object, read_record


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeChanged:
    """From what mode to what, why, what was seen, and for how long it had been otherwise."""

    before: Mode
    after: Mode
    reason: Annotated[ModeReason, Meta(description="why it is what it is now; RECOVERED: nothing speaks against it")]
    lasted_seconds: Annotated[float, Meta(ge=0, description="in the mode before")]
    evidence: Annotated[Vitals, Meta(description="what was seen of the worker then; null: nothing is known of it")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeEvent:
    """A change of mode as an event (CloudEvents 1.0.2, section 3.1)."""

    id: Annotated[str, Meta(min_length=1, description="unique for each event of a source")]
    source: Annotated[str, Meta(min_length=1, description="the worker that says it, a URI reference")]
    time: UtcTime
    subject: Annotated[str, Meta(min_length=1, description="the worker")]
    data: ModeChanged
    type: Literal["holdfast.mode.changed"] = "holdfast.mode.changed"
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


def mode_event(change: ModeChange, *, event_id: str, source: str, subject: str, time: datetime) -> ModeEvent:
    """Wrap a change as an event; `event_id` is the same whenever the same event is sent again."""
    data = ModeChanged(
        before=change.before,
        after=change.after,
        reason=change.reason,
        lasted_seconds=change.lasted_seconds,
        evidence=change.evidence,
    )
    return ModeEvent(id=event_id, source=source, time=time, subject=subject, data=data)


def write_mode_event(event: ModeEvent) -> bytes:
    """Write it as its topic holds it."""
    return orjson.dumps(event, option=orjson.OPT_UTC_Z)


def read_mode_event(value: bytes | None) -> ModeEvent:
    """Read one record of `modes`. Raises MalformedRecord, and nothing else, for any bytes."""
    return read_record(read_object(value), ModeEvent)
