"""The transaction: what a producer asks us to decide. Names follow ISO 8583 and ISO 20022 use."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

SCHEMA_VERSION = 1
EARLIEST_SCHEMA_VERSION = 1  # one behind SCHEMA_VERSION once there is a second

_NAME = ("[A-Za-z0-9_.:-]{1,64}", "1 to 64 of A-Z a-z 0-9 _ . : -")
_CURRENCY = ("[A-Z]{3}", "ISO 4217 alphabetic code")

Identifier = Annotated[str, Meta(pattern=rf"\A{_NAME[0]}\Z", description=_NAME[1])]
Currency = Annotated[str, Meta(pattern=rf"\A{_CURRENCY[0]}\Z", description=_CURRENCY[1])]
AmountMinor = Annotated[int, Meta(ge=1, le=10**12, description="in minor units of the currency, never a fraction")]
UtcTime = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset")]


class Channel(StrEnum):
    """How the card was presented."""

    CARD_PRESENT = "card_present"
    ECOMMERCE = "ecommerce"
    MOTO = "moto"
    RECURRING = "recurring"


def _of(pattern: str, description: str | None = None) -> Meta:
    """A text of this form, which `models.form` checks for all fields at once: one by one is half of what reading takes.

    msgspec has the pattern for the schema only.
    """
    return Meta(extra_json_schema={"pattern": rf"\A{pattern}\Z"}, description=description)


_Name = Annotated[str, _of(*_NAME)]
_Country = Annotated[str, _of("[A-Z]{2}", "ISO 3166-1 alpha-2 code")]


class Transaction(Struct, frozen=True, kw_only=True, gc=False):
    """A card payment waiting for a decision."""

    transaction_id: _Name
    event_time: UtcTime
    pan_token: _Name  # stands for the card; a card number itself is refused
    amount_minor: AmountMinor
    currency: Annotated[str, _of(*_CURRENCY)]
    merchant_id: _Name
    terminal_id: _Name | None = None
    mcc: Annotated[str, _of("[0-9]{4}", "ISO 18245 merchant category")] | None = None
    merchant_country: _Country | None = None
    card_country: _Country | None = None
    channel: Channel | None = None
    pan_entry_mode: Annotated[str, _of("[0-9]{2,3}", "ISO 8583 DE 22, first part")] | None = None
    device_id: _Name | None = None
    ip: Annotated[str, Meta(max_length=45)] | None = None
    avs_result: Annotated[str, _of("[A-Z0-9]")] | None = None
    cvv_result: Annotated[str, _of("[A-Z]", "M match, N no match, P not processed")] | None = None
    eci: Annotated[str, _of("[0-9]{1,2}", "electronic commerce indicator")] | None = None
    three_ds_status: Annotated[str, _of("[A-Z]", "EMV 3-D Secure transStatus")] | None = None
    acquirer_id: Annotated[str, _of("[0-9]{1,11}", "ISO 8583 DE 32")] | None = None
    rrn: Annotated[str, _of("[A-Za-z0-9]{1,12}", "retrieval reference, DE 37")] | None = None
    stan: Annotated[str, _of("[0-9]{1,6}", "system trace audit number, DE 11")] | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def acceptor(self) -> str:
        """Where it was taken: the terminal, or the merchant where no terminal is given."""
        return self.terminal_id or self.merchant_id
