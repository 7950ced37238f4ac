"""A profile as bytes: one `struct`, little-endian, a version first. What is packed comes back bit by bit the same.

The hot path. A layout is found by the first bytes of a profile, which say all that it depends on.
"""

import struct
from functools import lru_cache
from itertools import chain
from math import inf

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
    Profile,
    ProfileCorrupt,
)

VERSION = 3
_WIDE, _STAND_INS = 1, 2  # flags: wide columns; the day's stand-in approvals, and which of the ring they are, are last
_MOST = (RING_SIZE, MERCHANTS, PLACES, PLACES, CATEGORIES)
_HEADER = 2 + len(_MOST)


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
    return _layout(header).pack(
        header,
        profile.n,
        profile.newest,
        profile.mean,
        profile.variance,
        profile.merchant_ages,
        *profile.hours,
        *profile.weekdays,
        *profile.counts,
        *profile.sums,
        *profile.peak_ratios,
        *profile.big_counts,
        *merchants,
        *countries,
        *devices,
        *categories,
        *chain.from_iterable(ring),
        *(_stand_ins(profile) if flags & _STAND_INS else ()),
    )


def unpack(data: bytes) -> Profile:
    """The profile that was packed, by this release or one before it, then with the parts that are new left empty.

    Raises ProfileCorrupt for an unknown version, wrong length or non-finite number.
    """
    if data[:1] in EARLIER_VERSIONS:
        return unpack_earlier(data)
    header = data[:_HEADER]
    layout = _layout(header)
    if len(data) != layout.size:
        raise ProfileCorrupt(f"a profile of this kind takes {layout.size} bytes, not {len(data)}")
    values = layout.unpack(data)
    profile = Profile.__new__(Profile)
    _, profile.n, profile.newest, mean, variance, ages = values[:_HOURS]
    if not (0 <= mean < inf and 0 <= variance < inf):
        raise ProfileCorrupt("the running statistics are not finite")
    profile.mean, profile.variance, profile.day = mean, variance, profile.newest // SECONDS_PER_DAY
    profile.merchant_ages = bytearray(ages)
    profile.hours = list(values[_HOURS:_WEEKDAYS])
    profile.weekdays = list(values[_WEEKDAYS:_COUNTS])
    profile.counts = list(values[_COUNTS:_SUMS])
    profile.sums = list(values[_SUMS:_PEAKS])
    profile.peak_ratios = list(values[_PEAKS:_BIGS])
    profile.big_counts = list(values[_BIGS:_MARKS])
    _, flags, ring, merchants, countries, devices, categories = header
    end = _MARKS + merchants
    profile.merchants = list(values[_MARKS:end])
    profile.countries = values[end : (end := end + countries)]
    profile.devices = values[end : (end := end + devices)]
    profile.categories = values[end : (end := end + categories)]
    entries = iter(values[end : end + 5 * ring])
    profile.ring = list(zip(entries, entries, entries, entries, entries, strict=True))  # five at a time
    profile.stood_in = set()
    if flags & _STAND_INS:
        profile.stand_in_day, profile.stand_in_count, profile.stand_in_sum, marked = values[-4:]
        profile.stood_in = {entry[2] for position, entry in enumerate(profile.ring) if marked >> position & 1}
    else:
        profile.stand_in_day = profile.stand_in_count = profile.stand_in_sum = 0
    return profile


_HOURS = 6  # fields before
_WEEKDAYS = _HOURS + SPANS
_COUNTS = _WEEKDAYS + WEEKDAYS
_SUMS = _COUNTS + BUCKET_DAYS
_PEAKS = _SUMS + BUCKET_DAYS
_BIGS = _PEAKS + PEAK_DAYS
_MARKS = _BIGS + PEAK_DAYS


def _stand_ins(profile: Profile) -> tuple[int, int, int, int]:
    marked = sum(1 << position for position, entry in enumerate(profile.ring) if entry[2] in profile.stood_in)
    return profile.stand_in_day, profile.stand_in_count, profile.stand_in_sum, marked


@lru_cache(maxsize=8_192)
def _layout(header: bytes) -> struct.Struct:
    if len(header) < _HEADER or header[0] != VERSION or header[1] > _WIDE | _STAND_INS:
        raise ProfileCorrupt(f"no profile of version {VERSION} or before: begins with {header.hex() or 'nothing'}")
    ring, merchants, *others = lengths = header[2:]
    if any(length > most for length, most in zip(lengths, _MOST, strict=True)):
        raise ProfileCorrupt(f"longer than any profile: {lengths.hex()}")
    count, total = "HQ" if header[1] & _WIDE else "BI"
    statistics = f"{_HEADER}sIIdd{merchants}s{SPANS}B{WEEKDAYS}B"
    buckets = f"{BUCKET_DAYS}{count}{BUCKET_DAYS}{total}{PEAK_DAYS}H{PEAK_DAYS}{count}"
    entries = f"I{total}QIH" * ring
    return struct.Struct(
        f"<{statistics}{buckets}{merchants + sum(others)}H{entries}{'HHQI' if header[1] & _STAND_INS else ''}"
    )
