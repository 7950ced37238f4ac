"""A payment as its maker sees it, and the transaction the acquirer makes of it."""

from dataclasses import dataclass
from datetime import timedelta
from random import Random

from models.simulator.chance import Weighted, whole
from models.simulator.policy import FraudType, TrafficPolicy
from models.simulator.population import Card, Merchant
from models.transaction import Channel, Transaction


@dataclass(frozen=True, slots=True)
class Credentials:
    """How well the one who pays passes the checks: shares of the checks that are made."""

    cvv_matches: float
    address_matches: float
    seeks_authentication: float  # against the holder; thieves choose shops that do not ask
    authentication: Weighted[tuple[str, str]]  # EMV 3-D Secure transStatus and the eci that goes with it
    entry: Weighted[str]  # ISO 8583 DE 22 at a terminal: 071 contactless, 051 chip, 801 fallback, 901 magnetic stripe


HOLDER = Credentials(
    cvv_matches=0.985,
    address_matches=0.9,
    seeks_authentication=1.0,
    authentication=Weighted.of(((("Y", "05"), 0.93), (("A", "06"), 0.04), (("U", "07"), 0.015), (("N", "07"), 0.015))),
    entry=Weighted.of((("071", 0.62), ("051", 0.35), ("801", 0.01), ("901", 0.02))),
)
GUESSER = Credentials(
    cvv_matches=0.45,
    address_matches=0.4,
    seeks_authentication=0.15,
    authentication=Weighted.of(((("Y", "05"), 0.05), (("A", "06"), 0.35), (("U", "07"), 0.3), (("N", "07"), 0.3))),
    entry=HOLDER.entry,
)
THIEF = Credentials(
    cvv_matches=0.88,
    address_matches=0.55,
    seeks_authentication=0.5,
    authentication=Weighted.of(((("Y", "05"), 0.3), (("A", "06"), 0.3), (("U", "07"), 0.2), (("N", "07"), 0.2))),
    entry=Weighted.of((("071", 0.55), ("051", 0.2), ("801", 0.1), ("901", 0.15))),
)
IMPOSTOR = Credentials(  # has the holder's account, and often the one-time password with it
    cvv_matches=0.96,
    address_matches=0.85,
    seeks_authentication=0.8,
    authentication=Weighted.of(((("Y", "05"), 0.7), (("A", "06"), 0.12), (("U", "07"), 0.08), (("N", "07"), 0.1))),
    entry=HOLDER.entry,
)


@dataclass(frozen=True, slots=True)
class Payment:
    """Somebody pays with a card."""

    card: Card
    merchant: Merchant
    amount_minor: int
    channel: Channel
    credentials: Credentials
    terminal_id: str | None = None
    device_id: str | None = None
    address: str | None = None  # IP
    fraud_type: FraudType | None = None


class Acquirer:
    """Numbers the payments and asks for their authorisation."""

    def __init__(self, policy: TrafficPolicy) -> None:
        self._start = policy.start
        self._prefix = f"tx{policy.seed}n"
        self._count = 0
        self._hour = -1
        self._hour_code = ""

    def transaction(self, rng: Random, at: float, payment: Payment) -> Transaction:
        """The transaction of a payment made `at` seconds after the start, with checks as its channel has them."""
        self._count += 1
        stan = f"{self._count % 1_000_000:06d}"
        card, merchant = payment.card, payment.merchant
        entry_mode, avs, cvv, eci, status = _checks(rng, payment)
        return Transaction(
            transaction_id=self._prefix + str(self._count),
            event_time=self._start + timedelta(milliseconds=int(at * 1000.0)),
            pan_token=card.pan_token,
            amount_minor=payment.amount_minor,
            currency=merchant.country.currency,
            merchant_id=merchant.merchant_id,
            terminal_id=payment.terminal_id,
            mcc=merchant.category.mcc,
            merchant_country=merchant.country.code,
            card_country=card.country.code,
            channel=payment.channel,
            pan_entry_mode=entry_mode,
            device_id=payment.device_id,
            ip=payment.address,
            avs_result=avs,
            cvv_result=cvv,
            eci=eci,
            three_ds_status=status,
            acquirer_id=merchant.acquirer_id,
            rrn=self._hour_of(at) + stan,
            stan=stan,
        )

    def _hour_of(self, at: float) -> str:
        """The first half of a retrieval reference, YDDDHH; made anew once an hour, as it costs more than the rest."""
        hour = int(at // 3600.0)
        if hour != self._hour:
            moment = self._start + timedelta(hours=hour)
            self._hour, self._hour_code = hour, f"{moment.year % 10}{moment:%j%H}"
        return self._hour_code


def _checks(rng: Random, payment: Payment) -> tuple[str, str | None, str | None, str | None, str | None]:
    """Entry mode (DE 22), address, cvv, eci and 3-D Secure status."""
    if payment.channel is Channel.CARD_PRESENT:
        return payment.credentials.entry.draw(rng), None, None, None, None
    if payment.channel is Channel.RECURRING:
        return "102", None, None, "02", None
    address, cvv = _address_check(rng, payment), _cvv_check(rng, payment.credentials)
    if payment.channel is Channel.MOTO:
        return "012", address, cvv, "01", None
    status, eci = _authentication(rng, payment)
    return ("102" if cvv is None else "812"), address, cvv, eci, status


def _address_check(rng: Random, payment: Payment) -> str | None:
    if not payment.card.country.checks_address:
        return None
    if rng.random() < payment.credentials.address_matches:
        return "Y"
    return "AZNU"[whole(rng, 0, 3)]


def _cvv_check(rng: Random, credentials: Credentials) -> str | None:
    mark = rng.random()
    if mark < 0.12:  # a stored card is charged without it
        return None
    if mark < 0.14:
        return "P"
    return "M" if rng.random() < credentials.cvv_matches else "N"


def _authentication(rng: Random, payment: Payment) -> tuple[str | None, str]:
    asked = payment.merchant.country.strong_authentication * payment.credentials.seeks_authentication
    return payment.credentials.authentication.draw(rng) if rng.random() < asked else (None, "07")
