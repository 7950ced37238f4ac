"""What compiled code writes and reads of Kafka's protocol is what aiokafka writes and reads, message by message."""

import importlib
import os
import pkgutil
from io import BytesIO
from typing import Any

import aiokafka.protocol
import pytest
from aiokafka.protocol.api import ResponseHeader_v1
from aiokafka.protocol.struct import Struct
from aiokafka.protocol.transaction import EndTxnResponse_v0
from aiokafka.protocol.types import Array, Boolean, Bytes, Int8, Int16, Int32, Int64, Schema, String
from hypothesis import given
from hypothesis import strategies as st

from streams.broker import layouts
from streams.broker.layouts import Layout

if not layouts.COMPILED:
    if os.environ.get("CI") == "true":
        pytest.fail("the messages were not compiled", pytrace=False)
    pytest.skip("nothing is compiled here: there was no compiler", allow_module_level=True)

for module in pkgutil.iter_modules(aiokafka.protocol.__path__):
    importlib.import_module(f"aiokafka.protocol.{module.name}")

WIDTHS: dict[Any, int] = {Int8: 8, Int16: 16, Int32: 32, Int64: 64}


def of(declared: Any) -> st.SearchStrategy[Any]:
    """Values that it can hold."""
    if declared in WIDTHS:
        half = 2 ** (WIDTHS[declared] - 1)
        return st.integers(-half, half - 1) | st.sampled_from([-half, -1, 0, 1, half - 1])
    if declared is Boolean:
        return st.booleans()
    if declared is Bytes:
        return st.none() | st.binary(max_size=20)
    if isinstance(declared, String):
        return st.none() | st.text(max_size=20)
    if isinstance(declared, Array):
        return st.none() | st.lists(of(declared.array_of), max_size=3)
    return st.tuples(*map(of, declared.fields))


def everything(kind: type[Struct]) -> list[type[Struct]]:
    return [kind, *(each for derived in kind.__subclasses__() for each in everything(derived))]


def known() -> list[type[Struct]]:
    kinds = []
    for kind in everything(Struct):
        try:
            Layout(kind.SCHEMA)
        except NotImplementedError:
            continue
        kinds.append(kind)
    return kinds


KNOWN = known()
HOT = ("FetchRequest_v11", "FetchResponse_v11", "ProduceRequest_v7", "ProduceResponse_v7")


def test_what_is_sent_and_received_most_is_known() -> None:
    assert {kind.__name__ for kind in KNOWN}.issuperset(
        (*HOT, "AddPartitionsToTxnRequest_v0", "AddPartitionsToTxnResponse_v0", "EndTxnRequest_v0", "EndTxnResponse_v0")
    )


@given(st.data(), st.sampled_from(KNOWN), st.binary(max_size=3), st.binary(max_size=3))
def test_it_is_what_aiokafka_writes_and_reads(
    data: st.DataObject, kind: type[Struct], before: bytes, after: bytes
) -> None:
    layout = Layout(kind.SCHEMA)
    values = data.draw(of(kind.SCHEMA))
    written = layout.encode(values)
    assert written == kind.SCHEMA.encode(values)
    read, end = layout.decode(before + written + after, len(before))
    assert read == kind.SCHEMA.decode(BytesIO(written))
    assert end == len(before) + len(written)


@given(st.data(), st.sampled_from(KNOWN))
def test_what_ends_too_soon_is_refused(data: st.DataObject, kind: type[Struct]) -> None:
    layout = Layout(kind.SCHEMA)
    written = layout.encode(data.draw(of(kind.SCHEMA)))
    for length in range(len(written)):
        with pytest.raises(ValueError, match="data end"):
            layout.decode(written[:length], 0)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (Int8, 128),
        (Int16, -(2**15) - 1),
        (Int32, 2**31),
        (Int64, 2**63),
        (Int32, "1"),
        (Int32, None),
        (Int32, 1.0),
        (String(), "x" * 2**15),
        (Schema(("a", Int8), ("b", Int8)), (1,)),
    ],
)
def test_what_does_not_fit_is_refused(declared: Any, value: object) -> None:
    for encode in (declared.encode, Layout(declared).encode):
        with pytest.raises(ValueError, match=r"convert|integer|count"):
            encode(value)


@pytest.mark.parametrize("value", [bytearray(b"abc"), memoryview(b"abc"), b"", bytearray()])
def test_bytes_may_be_in_any_memory(value: bytes) -> None:
    assert Layout(Bytes).encode(value) == Bytes.encode(bytes(value))


def test_a_position_outside_of_the_data_is_refused() -> None:
    for at in (-1, 5):
        with pytest.raises(ValueError, match="not within"):
            Layout(Int32).decode(b"1234", at)


def test_a_process_writes_and_reads_so_what_is_known_and_the_rest_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("encode", "decode"):
        monkeypatch.setattr(Struct, name, Struct.__dict__[name])  # to be put back
    known, unknown = EndTxnResponse_v0(7, 3), ResponseHeader_v1(7, {})
    as_before = [known.encode(), unknown.encode()]
    layouts.adapt_messages()
    assert [known.encode(), unknown.encode()] == as_before
    for each, written in zip((known, unknown), as_before, strict=True):
        assert type(each).decode(written) == each
        data = BytesIO(b"before" + written + b"after")
        data.seek(6)
        assert type(each).decode(data) == each
        assert data.read() == b"after"
