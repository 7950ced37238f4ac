"""Arrays as text, bit by bit: little-endian numbers in base64, for what is written as JSON.

Written in decimal digits, those of a snapshot take twenty times as long to read and ten times as long to be hashed.
"""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

DOUBLE, SINGLE, HALF, INDEX, FLAG = "float64", "float32", "float16", "int16", "uint8"
_LAYOUTS = {DOUBLE: "<f8", SINGLE: "<f4", HALF: "<f2", INDEX: "<i2", FLAG: "u1"}
_QUICKLY = 1  # of zlib's levels


def packed(values: NDArray[Any], kind: str = DOUBLE, *, deflated: bool = False) -> dict[str, Any]:
    """Builtins only: the shape, and the numbers under their kind; deflated, where that saves much."""
    data = values.astype(_LAYOUTS[kind], copy=False).tobytes()
    if deflated:
        data = zlib.compress(data, _QUICKLY)
    plain = {"shape": list(values.shape), kind: b64encode(data).decode()}
    return {**plain, "deflated": True} if deflated else plain


def unpacked(plain: Mapping[str, Any], kind: str = DOUBLE) -> NDArray[Any]:
    """What `packed` wrote, to be changed at will. Raises KeyError, TypeError or ValueError if it did not."""
    data = b64decode(plain[kind], validate=True)
    if plain.get("deflated"):
        data = _inflated(data)
    values = np.frombuffer(data, dtype=_LAYOUTS[kind])
    return values.reshape(plain["shape"]).astype(kind)


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error as error:
        raise ValueError(f"numbers that do not inflate: {error}") from error
