"""The transaction: what a producer asks us to decide. Names follow ISO 8583 and ISO 20022 use."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

SCHEMA_VERSION = 1
EARLIEST_SCHEMA_VERSION = 1  # one behind SCHEMA_VERSION once there is a second

Identifier = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.:-]{1,64}\Z", description="1 to 64 of A-Z a-z 0-9 _ . : -")]
Currency = Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z", description="ISO 4217 alphabetic code")]
Country = Annotated[str, Meta(pattern=r"\A[A-Z]{2}\Z", description="ISO 3166-1 alpha-2 code")]
AmountMinor = Annotated[int, Meta(ge=1, le=10**12, description="in minor units of the currency, never a fraction")]
UtcTime = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset")]


class Channel(StrEnum):
    """How the card was presented."""

    CARD_PRESENT = "card_present"
    ECOMMERCE = "ecommerce"
    MOTO = "moto"
    RECURRING = "recurring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A card payment waiting for a decision."""

    transaction_id: Identifier
    event_time: UtcTime
    pan_token: Identifier  # stands for the card; a card number itself is refused
    amount_minor: AmountMinor
    currency: Currency
    merchant_id: Identifier
    terminal_id: Identifier | None = None
    mcc: Annotated[str, Meta(pattern=r"\A[0-9]{4}\Z", description="ISO 18245 merchant category")] | None = None
    merchant_country: Country | None = None
    card_country: Country | None = None
    channel: Channel | None = None
    pan_entry_mode: Annotated[str, Meta(pattern=r"\A[0-9]{2,3}\Z", description="ISO 8583 DE 22, first part")] | None = (
        None
    )
    device_id: Identifier | None = None
    ip: Annotated[str, Meta(max_length=45)] | None = None
    avs_result: Annotated[str, Meta(pattern=r"\A[A-Z0-9]\Z")] | None = None
    cvv_result: (
        Annotated[str, Meta(pattern=r"\A[A-Z]\Z", description="M match, N no match, P not processed")] | None
    ) = None
    eci: Annotated[str, Meta(pattern=r"\A[0-9]{1,2}\Z", description="electronic commerce indicator")] | None = None
    three_ds_status: Annotated[str, Meta(pattern=r"\A[A-Z]\Z", description="EMV 3-D Secure transStatus")] | None = None
    acquirer_id: Annotated[str, Meta(pattern=r"\A[0-9]{1,11}\Z", description="ISO 8583 DE 32")] | None = None
    rrn: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9]{1,12}\Z", description="retrieval reference, DE 37")] | None = None
    stan: Annotated[str, Meta(pattern=r"\A[0-9]{1,6}\Z", description="system trace audit number, DE 11")] | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def acceptor(self) -> str:
        """Where it was taken: the terminal, or the merchant where no terminal is given."""
        return self.terminal_id or self.merchant_id
