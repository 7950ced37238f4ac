"""Profiles in the layouts of before: read, never written. What those did not hold of a card stays empty."""

import math
import struct
from functools import cache

from models.daily import SECONDS_PER_DAY
from models.profile import BUCKET_DAYS, PEAK_DAYS, RING_SIZE, Profile, ProfileCorrupt, counts_of

EARLIER_VERSIONS = (b"\1", b"\2")  # the same layout, but that with 2 amounts of the ring may carry a mark
_STOOD_IN = 1 << 63  # the mark
_HEADER_FIELDS = 10
_SUMS = _HEADER_FIELDS + BUCKET_DAYS
_PEAKS = _SUMS + BUCKET_DAYS
_BIGS = _PEAKS + PEAK_DAYS
_RING = _BIGS + PEAK_DAYS


def unpack_earlier(data: bytes) -> Profile:
    """The profile that was packed. Raises ProfileCorrupt for a wrong length or non-finite number."""
    values = _checked(data).unpack(data)
    profile = Profile()
    length = values[2]
    profile.n, profile.newest, profile.mean, profile.variance = values[3:7]
    profile.stand_in_day, profile.stand_in_count, profile.stand_in_sum = values[7:_HEADER_FIELDS]
    if not (0 <= profile.mean < math.inf and 0 <= profile.variance < math.inf):
        raise ProfileCorrupt("the running statistics are not finite")
    profile.day = profile.newest // SECONDS_PER_DAY
    profile.counts = counts_of(values[_HEADER_FIELDS:_SUMS])
    profile.sums = list(values[_SUMS:_PEAKS])
    profile.peak_ratios = list(values[_PEAKS:_BIGS])
    profile.big_counts = counts_of(values[_BIGS:_RING])
    ring = values[_RING:]
    times, marked, ids, fingerprints = (ring[part * length : (part + 1) * length] for part in range(4))
    amounts = (amount & ~_STOOD_IN for amount in marked)
    profile.ring = list(zip(times, amounts, ids, fingerprints, (0,) * length, strict=True))
    profile.stood_in = frozenset(each for each, amount in zip(ids, marked, strict=True) if amount & _STOOD_IN)
    return profile


@cache
def _layout(wide: bool, length: int) -> struct.Struct:  # noqa: FBT001 - a cache key
    count, total = "HQ" if wide else "BI"
    buckets = f"{BUCKET_DAYS}{count}{BUCKET_DAYS}{total}{PEAK_DAYS}H{PEAK_DAYS}{count}"
    return struct.Struct(f"<B?BIIddHHQ{buckets}{length}I{length}Q{length}Q{length}I")


def _checked(data: bytes) -> struct.Struct:
    if len(data) < 3 or data[1] > 1 or data[2] > RING_SIZE:
        raise ProfileCorrupt(f"no profile of an earlier version: begins with {data[:3].hex()}")
    layout = _layout(bool(data[1]), data[2])
    if len(data) != layout.size:
        raise ProfileCorrupt(f"a profile of this kind takes {layout.size} bytes, not {len(data)}")
    return layout
