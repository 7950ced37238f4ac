"""The countries where cards live and merchants trade: ISO 3166-1 and ISO 4217 codes, the rest a rough likeness."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    """One country. Clocks keep standard time all year."""

    code: str
    currency: str
    minor_per_euro: float  # minor units of the currency, whose exponent is not always 2
    hours_from_utc: float
    people: float  # weight as a home, among the countries that take part
    strong_authentication: float  # share of e-commerce payments that ask for 3-D Secure
    checks_address: bool = False  # whether the address verification service answers


COUNTRIES = (
    Country("DE", "EUR", 100.0, 1.0, 20.0, 0.75),
    Country("FR", "EUR", 100.0, 1.0, 16.0, 0.75),
    Country("ES", "EUR", 100.0, 1.0, 11.0, 0.7),
    Country("IT", "EUR", 100.0, 1.0, 12.0, 0.7),
    Country("NL", "EUR", 100.0, 1.0, 7.0, 0.75),
    Country("GB", "GBP", 86.0, 0.0, 16.0, 0.7, checks_address=True),
    Country("US", "USD", 108.0, -5.0, 14.0, 0.12, checks_address=True),
    Country("CA", "CAD", 148.0, -5.0, 3.0, 0.2, checks_address=True),
    Country("CH", "CHF", 95.0, 1.0, 3.0, 0.6),
    Country("SE", "SEK", 1130.0, 1.0, 3.0, 0.7),
    Country("PL", "PLN", 430.0, 1.0, 6.0, 0.7),
    Country("JP", "JPY", 160.0, 9.0, 4.0, 0.4),  # the yen has no minor unit
    Country("BR", "BRL", 600.0, -3.0, 3.0, 0.15),
    Country("AE", "AED", 400.0, 4.0, 2.0, 0.4),
    Country("KW", "KWD", 333.0, 3.0, 1.0, 0.4),  # the dinar has a thousand fils
)
