"""More information about a payment: what a reviewer asks of its holder or merchant, and what comes back."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from models.transaction import SCHEMA_VERSION, Currency, Identifier, UtcTime

RequestId = Annotated[
    str, Meta(pattern=r"\A[A-Za-z0-9_.:-]{1,80}\Z", description="the case, and the number of the question")
]
Said = Annotated[str, Meta(max_length=500)]


class InformationChannel(StrEnum):
    """How the question reaches whoever is asked."""

    APP = "app"
    SMS = "sms"
    EMAIL = "email"
    PHONE = "phone"
    MERCHANT = "merchant"


class InformationTopic(StrEnum):
    """What is asked."""

    DID_YOU_PAY = "did_you_pay"  # whether the holder made the payment
    IDENTITY = "identity"  # a proof of who they are
    DELIVERY = "delivery"  # what was ordered, and where it goes
    OTHER = "other"  # as the text says


class Reply(StrEnum):
    """What an answer comes to."""

    CONFIRMED = "confirmed"
    DENIED = "denied"
    UNCLEAR = "unclear"  # the text says what there is


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationRequest:
    """A question about one payment, and until when an answer counts."""

    request_id: RequestId
    case_id: str
    transaction_id: Identifier
    pan_token: Identifier
    asked: InformationTopic
    channel: InformationChannel
    text: Said = ""
    asked_at: UtcTime
    until: UtcTime
    amount_minor: int
    currency: Currency
    merchant_id: Identifier
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationAnswer:
    """What somebody answered to a request."""

    request_id: RequestId
    reply: Reply
    text: Said = ""
    answered_at: UtcTime
    schema_version: int = SCHEMA_VERSION
