"""Minor units of currencies (ISO 4217): how many digits after the point."""

from functools import cache

_WITHOUT_MINOR_UNIT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"

_UNITS = (
    dict.fromkeys(_WITHOUT_MINOR_UNIT.split(), 1)
    | dict.fromkeys(_THREE_DIGITS.split(), 1_000)
    | dict.fromkeys(_FOUR_DIGITS.split(), 10_000)
)


@cache  # there are few
def minor_per_major(currency: str) -> int:
    """How many minor units make one of `currency`; 100 where ISO 4217 names no other."""
    return _UNITS.get(currency, 100)
