"""A profile as bytes: little-endian, a version first. What is packed comes back bit by bit the same.

The hot path. A layout is found by the first bytes of a profile, which say all that it depends on. Its structs are
shared between layouts, so that a few dozen of them serve all cards and stay in the processor's cache.
"""

import struct
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import starmap
from math import inf
from typing import Any

from models.daily import SECONDS_PER_DAY
from models.earlier_profiles import EARLIER_VERSIONS, unpack_earlier
from models.profile import (
    BUCKET_DAYS,
    CATEGORIES,
    MERCHANTS,
    PEAK_DAYS,
    PLACES,
    RING_SIZE,
    SPANS,
    WEEKDAYS,
    Counts,
    Profile,
    ProfileCorrupt,
    counts_of,
)

VERSION = 3
_WIDE, _STAND_INS = 1, 2  # flags: wide columns; the day's stand-in approvals, and which of the ring they are, are last
_MOST = (RING_SIZE, MERCHANTS, PLACES, PLACES, CATEGORIES)
_HEADER = 2 + len(_MOST)

_Layout = tuple[struct.Struct, struct.Struct, struct.Struct, int]  # head, marks, an entry of the ring; size of all


def pack(profile: Profile) -> bytes:
    """Bytes of this layout: 250, 22 for each ring entry, 3 for each merchant, 2 for each of the other marks.

    A card whose days or amounts do not fit the narrow columns takes wide ones; stand-in approvals take 16 more.
    """
    flags = _STAND_INS if profile.stand_in_count else 0
    try:
        return _packed(profile, flags)
    except struct.error:
        return _packed(profile, flags | _WIDE)


def _packed(profile: Profile, flags: int) -> bytes:
    merchants, countries, devices = profile.merchants, profile.countries, profile.devices
    categories, ring = profile.categories, profile.ring
    header = bytes((VERSION, flags, len(ring), len(merchants), len(countries), len(devices), len(categories)))
    head, marks, entry, _ = _layout(header)
    counts, bigs = (profile.counts, profile.big_counts) if flags & _WIDE else ((profile.counts,), (profile.big_counts,))
    statistics = head.pack(
        header,
        profile.n,
        profile.newest,
        profile.mean,
        profile.variance,
        profile.merchant_ages,
        profile.hours,
        profile.weekdays,
        *counts,
        *profile.sums,
        *profile.peak_ratios,
        *bigs,
    )
    known = marks.pack(*merchants, *countries, *devices, *categories)
    last = _packed_stand_ins(profile) if flags & _STAND_INS else b""
    return b"".join((statistics, known, *starmap(entry.pack, ring), last))


def unpack(data: bytes) -> Profile:
    """The profile that was packed, by this release or one before it, then with the parts that are new left empty.

    Raises ProfileCorrupt for an unknown version, wrong length or non-finite number.
    """
    if data[:1] in EARLIER_VERSIONS:
        return unpack_earlier(data)
    header = data[:_HEADER]
    head, marks, entry, size = _layout(header)
    if len(data) != size:
        raise ProfileCorrupt(f"a profile of this kind takes {size} bytes, not {len(data)}")
    _, flags, ring, merchants, countries, devices, _ = header
    values = head.unpack_from(data)
    counted: Callable[[Any], Counts] = bytearray
    if flags & _WIDE:
        values, counted = _gathered(values), counts_of
    profile = Profile.__new__(Profile)
    _, profile.n, profile.newest, mean, variance, ages, hours, weekdays, counts = values[:_SUMS]
    if not (0 <= mean < inf and 0 <= variance < inf):
        raise ProfileCorrupt("the running statistics are not finite")
    profile.mean, profile.variance, profile.day = mean, variance, profile.newest // SECONDS_PER_DAY
    profile.merchant_ages = bytearray(ages)
    profile.hours, profile.weekdays = bytearray(hours), bytearray(weekdays)
    profile.counts, profile.big_counts = counted(counts), counted(values[_BIGS])
    profile.sums = list(values[_SUMS:_PEAKS])
    profile.peak_ratios = list(values[_PEAKS:_BIGS])
    known = marks.unpack_from(data, head.size)
    profile.merchants = list(known[:merchants])
    profile.countries = known[merchants : (end := merchants + countries)]
    profile.devices = known[end : (end := end + devices)]
    profile.categories = known[end:]
    begin = head.size + marks.size
    profile.ring = list(entry.iter_unpack(data[begin : begin + ring * entry.size]))
    if flags & _STAND_INS:
        profile.stand_in_day, profile.stand_in_count, profile.stand_in_sum, marked = _STOOD_IN.unpack(
            data[-_STOOD_IN.size :]
        )
        profile.stood_in = frozenset(entry[2] for position, entry in enumerate(profile.ring) if marked >> position & 1)
    else:
        profile.stand_in_day = profile.stand_in_count = profile.stand_in_sum = 0
        profile.stood_in = frozenset()
    return profile


_COUNTS = 8  # fields before
_SUMS = _COUNTS + 1
_PEAKS = _SUMS + BUCKET_DAYS
_BIGS = _PEAKS + PEAK_DAYS

_STOOD_IN = struct.Struct("<HHQI")


def _gathered(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Fields of wide columns, with all counts of a column as one, as the narrow ones have them."""
    sums = _COUNTS + BUCKET_DAYS
    bigs = sums + BUCKET_DAYS + PEAK_DAYS
    return (*values[:_COUNTS], values[_COUNTS:sums], *values[sums:bigs], values[bigs:])


def _packed_stand_ins(profile: Profile) -> bytes:
    marked = sum(1 << position for position, entry in enumerate(profile.ring) if entry[2] in profile.stood_in)
    return _STOOD_IN.pack(profile.stand_in_day, profile.stand_in_count, profile.stand_in_sum, marked)


@lru_cache(maxsize=8_192)
def _layout(header: bytes) -> _Layout:
    if len(header) < _HEADER or header[0] != VERSION or header[1] > _WIDE | _STAND_INS:
        raise ProfileCorrupt(f"no profile of version {VERSION} or before: begins with {header.hex() or 'nothing'}")
    ring, merchants, *_ = lengths = header[2:]
    if any(length > most for length, most in zip(lengths, _MOST, strict=True)):
        raise ProfileCorrupt(f"longer than any profile: {lengths.hex()}")
    count, total = ("H", "Q") if header[1] & _WIDE else ("s", "I")
    statistics = f"{_HEADER}sIIdd{merchants}s{SPANS}s{WEEKDAYS}s"
    buckets = f"{BUCKET_DAYS}{count}{BUCKET_DAYS}{total}{PEAK_DAYS}H{PEAK_DAYS}{count}"
    head, marks, entry = _struct(statistics + buckets), _struct(f"{sum(lengths[1:])}H"), _struct(f"I{total}QIH")
    last = _STOOD_IN.size if header[1] & _STAND_INS else 0
    return head, marks, entry, head.size + marks.size + ring * entry.size + last


@cache  # shared: a few dozen
def _struct(fields: str) -> struct.Struct:
    return struct.Struct(f"<{fields}")
