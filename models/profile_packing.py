"""A profile as bytes: one `struct`, little-endian, a version first. What is packed comes back bit by bit the same.

The hot path. A layout is found by the first bytes of a profile, which say all that it depends on.
"""

import math
import struct
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

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


class _Layout(NamedTuple):
    """The bytes of a profile, and where in the unpacked tuple each column is."""

    struct: struct.Struct
    columns: tuple[slice, ...]


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
    countries, devices, categories = profile.countries, profile.devices, profile.categories
    lengths = (len(profile.ring_times), len(profile.merchants), len(countries), len(devices), len(categories))
    header = bytes((VERSION, flags, *lengths))
    return _layout(header).struct.pack(
        header,
        profile.n,
        profile.newest,
        profile.mean,
        profile.variance,
        bytes(profile.hours),
        bytes(profile.weekdays),
        bytes(profile.merchant_ages),
        *profile.counts,
        *profile.sums,
        *profile.peak_ratios,
        *profile.big_counts,
        *profile.ring_times,
        *profile.ring_amounts,
        *profile.ring_ids,
        *profile.ring_fingerprints,
        *profile.ring_merchants,
        *profile.merchants,
        *countries,
        *devices,
        *categories,
        *(_stand_ins(profile) if flags & _STAND_INS else ()),
    )


def unpack(data: bytes) -> Profile:
    """The profile that was packed, by this release or one before it, then with the parts that are new left empty.

    Raises ProfileCorrupt for an unknown version, wrong length or non-finite number.
    """
    if data[:1] in EARLIER_VERSIONS:
        return unpack_earlier(data)
    layout = _layout(data[:_HEADER])
    if len(data) != layout.struct.size:
        raise ProfileCorrupt(f"a profile of this kind takes {layout.struct.size} bytes, not {len(data)}")
    values = layout.struct.unpack(data)
    profile = Profile.__new__(Profile)
    _, profile.n, profile.newest, profile.mean, profile.variance, hours, weekdays, ages = values[:_COLUMNS]
    if not (0 <= profile.mean < math.inf and 0 <= profile.variance < math.inf):
        raise ProfileCorrupt("the running statistics are not finite")
    profile.day = profile.newest // SECONDS_PER_DAY
    profile.hours, profile.weekdays, profile.merchant_ages = list(hours), list(weekdays), list(ages)
    columns = layout.columns
    profile.counts = list(values[columns[0]])
    profile.sums = list(values[columns[1]])
    profile.peak_ratios = list(values[columns[2]])
    profile.big_counts = list(values[columns[3]])
    profile.ring_times = list(values[columns[4]])
    profile.ring_amounts = list(values[columns[5]])
    profile.ring_ids = list(values[columns[6]])
    profile.ring_fingerprints = list(values[columns[7]])
    profile.ring_merchants = list(values[columns[8]])
    profile.merchants = list(values[columns[9]])
    profile.countries = values[columns[10]]
    profile.devices = values[columns[11]]
    profile.categories = values[columns[12]]
    profile.stood_in = set()
    profile.stand_in_day = profile.stand_in_count = profile.stand_in_sum = 0
    if data[1] & _STAND_INS:
        profile.stand_in_day, profile.stand_in_count, profile.stand_in_sum, marked = values[-4:]
        profile.stood_in = {each for position, each in enumerate(profile.ring_ids) if marked >> position & 1}
    return profile


_COLUMNS = 8  # fields before the first column


def _stand_ins(profile: Profile) -> tuple[int, int, int, int]:
    marked = sum(1 << position for position, each in enumerate(profile.ring_ids) if each in profile.stood_in)
    return profile.stand_in_day, profile.stand_in_count, profile.stand_in_sum, marked


@lru_cache(maxsize=8_192)
def _layout(header: bytes) -> _Layout:
    if len(header) < _HEADER or header[0] != VERSION or header[1] > _WIDE | _STAND_INS:
        raise ProfileCorrupt(f"no profile of version {VERSION} or before: begins with {header.hex() or 'nothing'}")
    ring, merchants, *others = lengths = header[2:]
    if any(length > most for length, most in zip(lengths, _MOST, strict=True)):
        raise ProfileCorrupt(f"longer than any profile: {lengths.hex()}")
    count, total = "HQ" if header[1] & _WIDE else "BI"
    columns = (
        (BUCKET_DAYS, count),
        (BUCKET_DAYS, total),
        (PEAK_DAYS, "H"),
        (PEAK_DAYS, count),
        (ring, "I"),
        (ring, total),
        (ring, "Q"),
        (ring, "I"),
        (ring, "H"),
        (merchants, "H"),
        *((length, "H") for length in others),
    )
    head = f"<{_HEADER}sIIdd{SPANS}s{WEEKDAYS}s{merchants}s"
    tail = "HHQI" if header[1] & _STAND_INS else ""
    ends = accumulate((length for length, _ in columns), initial=_COLUMNS)
    return _Layout(
        struct.Struct(head + "".join(f"{length}{code}" for length, code in columns) + tail),
        tuple(slice(begin, end) for begin, end in pairwise(ends)),
    )
