"""Messages of Kafka's protocol, written and read by compiled code where there was a compiler.

aiokafka walks through what it declares in Python, for each field of each partition, and copies a batch at each level. A
worker sends and is sent hundreds of messages a second.
"""

from io import BytesIO
from typing import TYPE_CHECKING, Any

from aiokafka.protocol.struct import Struct

if TYPE_CHECKING:

    class Layout:
        """How one thing is written."""

        def __init__(self, declared: object) -> None: ...
        def encode(self, value: object) -> bytes:
            """Write it. Raises ValueError where it does not fit."""

        def decode(self, data: bytes, at: int) -> tuple[Any, int]:
            """Read it from there on: it, and where it ends. Raises ValueError where data end before it does."""

    COMPILED: bool
else:
    try:
        from streams.broker._layouts import Layout

        COMPILED = True
    except ImportError:
        COMPILED = False

_plain_encode = Struct.encode
_plain_decode = Struct.decode.__func__
_layouts: dict[type[Struct], Layout | None] = {}


def adapt_messages() -> None:
    """Have all messages of this process be written and read so."""
    if COMPILED:
        Struct.encode = _encode
        Struct.decode = classmethod(_decode)


def _layout(kind: type[Struct]) -> Layout | None:
    """None where aiokafka declares it by what is not known here."""
    if kind not in _layouts:
        try:
            _layouts[kind] = Layout(kind.SCHEMA)
        except NotImplementedError:
            _layouts[kind] = None
    return _layouts[kind]


def _encode(self: Struct) -> bytes:
    layout = _layout(type(self))
    if layout is None:
        plain: bytes = _plain_encode(self)
        return plain
    values = self.__dict__
    return layout.encode([values[name] for name in self.SCHEMA.names])


def _decode(cls: type[Struct], data: BytesIO | bytes) -> Struct:
    layout = _layout(cls)
    if layout is None:
        plain: Struct = _plain_decode(cls, data)
        return plain
    if isinstance(data, bytes):
        values, _ = layout.decode(data, 0)
    else:
        values, end = layout.decode(data.getvalue(), data.tell())
        data.seek(end)
    return cls(*values)
