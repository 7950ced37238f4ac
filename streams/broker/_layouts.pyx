# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Messages of Kafka's protocol by the layouts that aiokafka declares, compiled.

The same bytes and the same values as aiokafka's own `Struct.encode` and `Struct.decode`, which stay for where nothing was
compiled and as what this is held against (`tests/unit/test_layouts.py`).
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.number cimport PyNumber_Index

from aiokafka.protocol.types import Array, Boolean, Bytes, Int8, Int16, Int32, Int64, Schema, String

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *length) except NULL

cdef enum:
    INTEGER
    BOOLEAN
    STRING
    BYTES
    ARRAY
    SCHEMA

cdef dict _INTEGERS = {Int8: 1, Int16: 2, Int32: 4, Int64: 8}


cdef class Layout:
    """How one thing is written. Raises NotImplementedError where it is declared by what is not known here."""

    cdef int _kind
    cdef int _width  # bytes of an integer
    cdef tuple _parts  # of a schema, or the one of an array

    def __init__(self, declared):
        self._width = 1
        self._parts = ()
        if declared in _INTEGERS:
            self._kind, self._width = INTEGER, _INTEGERS[declared]
        elif declared is Boolean:
            self._kind = BOOLEAN
        elif type(declared) is String and declared.encoding == "utf-8":
            self._kind = STRING
        elif declared is Bytes:
            self._kind = BYTES
        elif type(declared) is Array:
            self._kind, self._parts = ARRAY, (Layout(declared.array_of),)
        elif type(declared) is Schema:
            self._kind, self._parts = SCHEMA, tuple([Layout(each) for each in declared.fields])
        else:
            raise NotImplementedError(repr(declared))

    def encode(self, value) -> bytes:
        """Write it. Raises ValueError where it does not fit its layout."""
        cdef Py_ssize_t size = _size(self, value)
        cdef bytes written = PyBytes_FromStringAndSize(NULL, size)
        cdef uint8_t *begin = <uint8_t *>PyBytes_AS_STRING(written)
        if _put(self, value, begin, begin + size) != begin + size:
            raise ValueError("changed while it was written")
        return written

    def decode(self, bytes data not None, Py_ssize_t at):
        """Read it from there on: it, and what comes after it. Raises ValueError where data end before it does."""
        cdef const uint8_t *begin = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef const uint8_t *here = begin + at
        if not 0 <= at <= PyBytes_GET_SIZE(data):
            raise ValueError("not within the data")
        value = _take(self, &here, begin + PyBytes_GET_SIZE(data))
        return value, here - begin


cdef Py_ssize_t _size(Layout layout, object value) except -1:
    cdef Py_ssize_t size, length
    cdef Layout part
    if layout._kind <= BOOLEAN:
        return layout._width
    if layout._kind == SCHEMA:
        if len(value) != len(layout._parts):
            raise ValueError("Item field count does not match Schema")
        size = 0
        for part, each in zip(layout._parts, value):
            size += part._width if part._kind <= BOOLEAN else _size(part, each)
        return size
    if layout._kind == STRING:
        if value is None:
            return 2
        PyUnicode_AsUTF8AndSize(_text(value), &length)
        return 2 + length
    if value is None:
        return 4
    if layout._kind == BYTES:
        return 4 + <Py_ssize_t>len(value)
    part = layout._parts[0]
    size = 4
    for each in value:
        size += _size(part, each)
    return size


cdef uint8_t *_put(Layout layout, object value, uint8_t *at, uint8_t *end) except NULL:
    cdef Py_ssize_t length
    cdef const char *text
    cdef const uint8_t[::1] view
    cdef Layout part
    if layout._kind == INTEGER:
        return _put_integer(_integer(value, layout._width), layout._width, at, end)
    if layout._kind == BOOLEAN:
        return _put_integer(1 if value else 0, 1, at, end)
    if layout._kind == SCHEMA:
        for part, each in zip(layout._parts, value):
            at = _put(part, each, at, end)
        return at
    if layout._kind == STRING:
        if value is None:
            return _put_integer(-1, 2, at, end)
        value = _text(value)
        text = PyUnicode_AsUTF8AndSize(value, &length)
        at = _put_integer(_integer(length, 2), 2, at, end)
        return _put_bytes(<const uint8_t *>text, length, at, end)
    if value is None:
        return _put_integer(-1, 4, at, end)
    at = _put_integer(_integer(len(value), 4), 4, at, end)
    if layout._kind == BYTES:
        if type(value) is bytes:
            return _put_bytes(<const uint8_t *>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), at, end)
        view = value
        return at if view.shape[0] == 0 else _put_bytes(&view[0], view.shape[0], at, end)
    part = layout._parts[0]
    for each in value:
        at = _put(part, each, at, end)
    return at


cdef inline uint8_t *_put_integer(int64_t value, int width, uint8_t *at, uint8_t *end) except NULL:
    cdef int place
    if end - at < width:
        raise ValueError("changed while it was written")
    for place in range(width):
        at[place] = <uint8_t>((<uint64_t>value) >> (8 * (width - 1 - place)))
    return at + width


cdef inline uint8_t *_put_bytes(const uint8_t *source, Py_ssize_t length, uint8_t *at, uint8_t *end) except NULL:
    if end - at < length:
        raise ValueError("changed while it was written")
    memcpy(at, source, length)
    return at + length


cdef int64_t _integer(object value, int width) except? -1:
    cdef int64_t number
    try:
        number = PyNumber_Index(value)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{value!r} is no integer of {width} bytes") from error
    if width < 8 and not -(<int64_t>1 << (8 * width - 1)) <= number < <int64_t>1 << (8 * width - 1):
        raise ValueError(f"{value!r} is no integer of {width} bytes")
    return number


cdef inline object _text(object value):
    return value if type(value) is str else str(value)


cdef object _take(Layout layout, const uint8_t **here, const uint8_t *end):
    cdef int64_t length
    cdef Py_ssize_t place
    cdef list items
    cdef Layout part
    if layout._kind == INTEGER:
        return _take_integer(layout._width, here, end)
    if layout._kind == BOOLEAN:
        return _take_integer(1, here, end) != 0
    if layout._kind == SCHEMA:
        items = []
        for part in layout._parts:
            if part._kind == INTEGER:
                items.append(_take_integer(part._width, here, end))
            else:
                items.append(_take(part, here, end))
        return tuple(items)
    length = _take_integer(2 if layout._kind == STRING else 4, here, end)
    if layout._kind == ARRAY:
        if length == -1:
            return None
        items, part = [], layout._parts[0]
        for place in range(length):
            items.append(_take(part, here, end))
        return items
    if length < 0:
        return None
    if end - here[0] < length:
        raise ValueError("data end within a string")
    taken = PyBytes_FromStringAndSize(<const char *>here[0], length)
    here[0] += length
    return taken.decode("utf-8") if layout._kind == STRING else taken


cdef inline int64_t _take_integer(int width, const uint8_t **here, const uint8_t *end) except? -1:
    cdef uint64_t number = 0
    cdef int place
    if end - here[0] < width:
        raise ValueError("data end within a number")
    for place in range(width):
        number = number << 8 | here[0][place]
    here[0] += width
    return <int64_t>(number << (64 - 8 * width)) >> (64 - 8 * width)
