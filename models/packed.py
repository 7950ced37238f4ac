"""Arrays as text, bit by bit: little-endian numbers in base64, for what is written as JSON.

Written in decimal digits, those of a snapshot take twenty times as long to read and ten times as long to be hashed.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

DOUBLE, SINGLE = "float64", "float32"
_LAYOUTS = {DOUBLE: "<f8", SINGLE: "<f4"}


def packed(values: NDArray[Any], kind: str = DOUBLE) -> dict[str, Any]:
    """Builtins only: the shape, and the numbers under their kind."""
    data = values.astype(_LAYOUTS[kind], copy=False).tobytes()
    return {"shape": list(values.shape), kind: b64encode(data).decode()}


def unpacked(plain: Mapping[str, Any], kind: str = DOUBLE) -> NDArray[Any]:
    """What `packed` wrote, to be changed at will. Raises KeyError, TypeError or ValueError if it did not."""
    values = np.frombuffer(b64decode(plain[kind], validate=True), dtype=_LAYOUTS[kind])
    return values.reshape(plain["shape"]).astype(kind)
