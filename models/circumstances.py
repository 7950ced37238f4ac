"""The circumstances of a payment as numbers from 0 to 1, by the standards that its fields follow.

What was not told, or is a code that means different things to different networks, is 0. Address results as Visa and
Mastercard give them; entry modes by ISO 8583:1987 DE 22; 3-D Secure by EMV.
"""

from functools import lru_cache

CIRCUMSTANCES: tuple[str, ...] = (
    "is_card_present",
    "is_ecommerce",
    "is_moto",
    "is_recurring",
    "read_by_chip",
    "read_by_stripe",
    "keyed_in",
    "on_file",
    "avs_match",
    "avs_mismatch",
    "cvv_match",
    "cvv_mismatch",
    "payer_authenticated",
    "payer_not_authenticated",
    "is_cross_border",
)

_CHANNELS = ("card_present", "ecommerce", "moto", "recurring")
_READERS = (("05", "07", "95"), ("02", "80", "90", "91"), ("01",), ("10",))  # by the first two digits of DE 22
_AVS_MATCH = {"D": 1.0, "F": 1.0, "M": 1.0, "X": 1.0, "Y": 1.0, "A": 0.5, "B": 0.5, "P": 0.5, "W": 0.5, "Z": 0.5}
_AVS_MISMATCH = {"N": 1.0, "C": 1.0, "A": 0.5, "B": 0.5, "P": 0.5, "W": 0.5, "Z": 0.5}
_AUTHENTICATED = {"Y": 1.0, "A": 0.5}
_NOT_AUTHENTICATED = {"N": 1.0, "R": 1.0, "U": 0.5}
_BY_ECI = {"05": 1.0, "06": 0.5}  # where no status is told; 02 and 01 mean another thing to each network


@lru_cache(maxsize=4_096)  # a few hundred combinations are most of a day's; a known one takes a tenth of the time
def circumstances(
    channel: str | None,
    entry: str | None,
    avs: str | None,
    cvv: str | None,
    eci: str | None,
    status: str | None,
    issuer: str | None,
    country: str | None,
) -> tuple[float, ...]:
    """The numbers of CIRCUMSTANCES by the fields of a payment: `entry` is DE 22, `status` the transStatus."""
    reader = (entry or "")[:2]
    return (
        *(float(channel == each) for each in _CHANNELS),
        *(float(reader in codes) for codes in _READERS),
        _AVS_MATCH.get(avs or "", 0.0),
        _AVS_MISMATCH.get(avs or "", 0.0),
        float(cvv == "M"),
        float(cvv == "N"),
        _AUTHENTICATED.get(status, 0.0) if status else _BY_ECI.get(eci or "", 0.0),
        _NOT_AUTHENTICATED.get(status or "", 0.0),
        float(issuer is not None and country is not None and issuer != country),
    )
