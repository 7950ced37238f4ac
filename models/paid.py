"""What features look at in a payment: the worker's transaction and a history's payment are both of this kind."""

from typing import Protocol


class Paid(Protocol):
    """A payment. What is None was not told, and must move no feature away from where it rests."""

    @property
    def amount_minor(self) -> int:
        """In minor units of the currency."""

    @property
    def currency(self) -> str:
        """ISO 4217."""

    @property
    def acceptor(self) -> str:
        """Where: the terminal, or the merchant."""

    @property
    def merchant_id(self) -> str | None:
        """Who was paid; where that is not told, the acceptor stands for it."""

    @property
    def mcc(self) -> str | None:
        """Merchant category (ISO 18245)."""

    @property
    def merchant_country(self) -> str | None:
        """ISO 3166-1 alpha-2."""

    @property
    def card_country(self) -> str | None:
        """The issuer's, ISO 3166-1 alpha-2."""

    @property
    def channel(self) -> str | None:
        """One of `models.transaction.Channel`."""

    @property
    def pan_entry_mode(self) -> str | None:
        """ISO 8583 DE 22, first part."""

    @property
    def device_id(self) -> str | None:
        """The payer's device."""

    @property
    def avs_result(self) -> str | None:
        """Address check."""

    @property
    def cvv_result(self) -> str | None:
        """Card code check."""

    @property
    def eci(self) -> str | None:
        """Electronic commerce indicator."""

    @property
    def three_ds_status(self) -> str | None:
        """EMV 3-D Secure transStatus."""
