"""A reviewer's question as an event for whoever asks the holder or the merchant: a CloudEvent around the record."""

from dataclasses import dataclass
from typing import Annotated, Literal

import orjson
from msgspec import Meta

from models.information import InformationRequest
from models.transaction import UtcTime


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionEvent:
    """A question (CloudEvents 1.0.2, section 3.1); `data` is the record of `information.requested`."""

    id: Annotated[str, Meta(description="that of the request: sent again it is the same question")]
    time: UtcTime
    subject: Annotated[str, Meta(description="the case")]
    data: InformationRequest
    source: Literal["holdfast/console"] = "holdfast/console"
    type: Literal["holdfast.information.requested"] = "holdfast.information.requested"
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


def question_event(request: InformationRequest) -> QuestionEvent:
    """Wrap a question as an event."""
    return QuestionEvent(id=request.request_id, time=request.asked_at, subject=request.case_id, data=request)


def write_question_event(event: QuestionEvent) -> bytes:
    """Write it in structured mode."""
    return orjson.dumps(event, option=orjson.OPT_UTC_Z)
