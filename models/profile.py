"""The card's profile: what is remembered of a card between transactions, in at most a few hundred bytes.

Amounts are minor units, times whole seconds since 1970. A mutable slotted class, not a frozen record: it is unpacked,
changed and packed once per transaction, and copying it on each change would double that cost.
"""

import math
import struct
from functools import cache

from models.daily import SECONDS_PER_DAY, advanced

RING_SIZE = 32
RING_SECONDS = SECONDS_PER_DAY
BUCKET_DAYS = 31  # a rolling window of 30 days touches 31 calendar days
PEAK_DAYS = 15
BIG_RATIO = 2.5
RATIO_STEPS = 64  # ratios are kept in 64ths, so that a packed profile comes back bit by bit the same

_VERSION, _WITH_STAND_INS = 1, 2  # the same layout, but that amounts of the ring carry a mark
_STOOD_IN = 1 << 63  # the mark
_ALWAYS_KEPT = 4  # latest arrivals stay in the ring however old they are: a repeated late record must be recognised
_WINSORISE_AT = 3.0
_SLOWEST_STEP = 1 / 200
_HALF_MEAN_WEIGHT = 5.0
_MAX_AMOUNT = 10**12
_MAX_TIME = 2**32 - 1
_MAX_RATIO_STEPS = 2**16 - 1


class ProfileCorrupt(ValueError):
    """Packed bytes that are no profile of a layout known here."""


class Profile:
    """Running statistics, daily buckets, the ring of recent transactions and today's stand-in approvals of one card.

    Events may come late: a late one is counted on its own day and never moves `last_seen` back. Buckets are newest
    day first and `day` is the day of `last_seen`. The four `ring_*` lists are columns, in order of arrival;
    `stood_in` has the ids of the ring whose payments rules approved in the model's place.
    """

    __slots__ = (
        "big_counts",
        "counts",
        "day",
        "mean",
        "n",
        "newest",
        "peak_ratios",
        "ring_amounts",
        "ring_fingerprints",
        "ring_ids",
        "ring_times",
        "stand_in_count",
        "stand_in_day",
        "stand_in_sum",
        "stood_in",
        "sums",
        "variance",
    )

    def __init__(self) -> None:
        self.n = 0
        self.mean = 0.0
        self.variance = 0.0
        self.newest = 0
        self.day = 0
        self.counts = [0] * BUCKET_DAYS
        self.sums = [0] * BUCKET_DAYS
        self.peak_ratios = [0] * PEAK_DAYS
        self.big_counts = [0] * PEAK_DAYS
        self.ring_times: list[int] = []
        self.ring_amounts: list[int] = []
        self.ring_ids: list[int] = []
        self.ring_fingerprints: list[int] = []
        self.stand_in_day = 0
        self.stand_in_count = 0
        self.stand_in_sum = 0
        self.stood_in: set[int] = set()

    @property
    def last_seen(self) -> int | None:
        """Latest event time observed, or None for a new card."""
        return self.newest if self.n else None

    def find(self, id_hash: int) -> int | None:
        """Content fingerprint of the transaction with this id hash, or None where the ring does not hold it."""
        if id_hash not in self.ring_ids:
            return None
        return self.ring_fingerprints[self.ring_ids.index(id_hash)]

    def ratio(self, amount_minor: int) -> float:
        """The amount as a multiple of the card's usual one, itself counted among the usual: 1.0 for a new card."""
        weight = min(self.n, 1 / _SLOWEST_STEP)
        return amount_minor * (weight + 1) / max(self.mean * weight + amount_minor, 1.0)

    def spread(self) -> float:
        """Robust standard deviation of the amount, drawn towards half the mean while the card is new."""
        half = self.mean / 2
        weight = min(self.n, 1 / _SLOWEST_STEP)
        pooled = (self.variance * weight + half * half * _HALF_MEAN_WEIGHT) / (weight + _HALF_MEAN_WEIGHT)
        return math.sqrt(pooled)

    def observe(self, at: float, amount_minor: int, id_hash: int, fingerprint: int) -> None:
        """Take in one decided transaction."""
        moment = min(max(int(at), 0), _MAX_TIME)
        amount = min(max(amount_minor, 0), _MAX_AMOUNT)
        self._advance(moment)
        self._count(self.day - moment // SECONDS_PER_DAY, amount)
        self._update_statistics(amount)
        self._remember(moment, amount, id_hash, fingerprint)

    def note_stand_in(self, at: float, amount_minor: int, id_hash: int) -> None:
        """Count an approval that rules gave in the model's place, of a payment that was observed.

        By UTC day, of which a new one starts from nothing and a late event draws on the latest; and in the ring.
        """
        if id_hash in self.ring_ids:
            self.stood_in.add(id_hash)
        day = min(max(int(at), 0), _MAX_TIME) // SECONDS_PER_DAY
        if day > self.stand_in_day:
            self.stand_in_day, self.stand_in_count, self.stand_in_sum = day, 0, 0
        self.stand_in_count = min(self.stand_in_count + 1, 2**16 - 1)
        self.stand_in_sum = min(self.stand_in_sum + min(max(amount_minor, 0), _MAX_AMOUNT), 2**63)

    def stand_in_today(self, at: float) -> tuple[int, int]:
        """Count and sum of what rules approved in the model's place on the UTC day of `at` or, if late, after it."""
        if int(at // SECONDS_PER_DAY) > self.stand_in_day:
            return 0, 0
        return self.stand_in_count, self.stand_in_sum

    def stand_in_around(self, at: float) -> tuple[tuple[tuple[float, int], ...], float]:
        """Approvals that rules gave in the model's place: seconds before or after `at`, and amount, of each.

        And within how many seconds before and after `at` none is missing: 0 once the ring is full, because then
        payments leave it whose time has not come.
        """
        known = 0.0 if len(self.ring_ids) >= RING_SIZE else RING_SECONDS - max(0.0, self.newest - at)
        if not self.stood_in:
            return (), known
        ring = zip(self.ring_times, self.ring_amounts, self.ring_ids, strict=True)
        return tuple((abs(moment - at), amount) for moment, amount, each in ring if each in self.stood_in), known

    def _advance(self, moment: int) -> None:
        if moment <= self.newest:
            return
        self.newest = moment
        days = moment // SECONDS_PER_DAY - self.day
        if days:
            self.day += days
            self.counts = advanced(self.counts, days)
            self.sums = advanced(self.sums, days)
            self.peak_ratios = advanced(self.peak_ratios, days)
            self.big_counts = advanced(self.big_counts, days)

    def _count(self, days_ago: int, amount: int) -> None:
        if days_ago >= BUCKET_DAYS:
            return
        self.counts[days_ago] = min(self.counts[days_ago] + 1, 2**16 - 1)
        self.sums[days_ago] = min(self.sums[days_ago] + amount, 2**63)
        if days_ago >= PEAK_DAYS:
            return
        ratio = self.ratio(amount)
        steps = min(int(ratio * RATIO_STEPS), _MAX_RATIO_STEPS)
        if steps > self.peak_ratios[days_ago]:
            self.peak_ratios[days_ago] = steps
        if ratio > BIG_RATIO:
            self.big_counts[days_ago] = min(self.big_counts[days_ago] + 1, 2**16 - 1)

    def _update_statistics(self, amount: int) -> None:
        """Running mean and variance. Later amounts weigh more at first (2/(n+1)): an odd first is soon forgotten."""
        kept = min(float(amount), _WINSORISE_AT * self.mean) if self.mean else float(amount)
        self.n = min(self.n + 1, 2**32 - 1)
        step = max(2 / (self.n + 1), _SLOWEST_STEP)
        off = kept - self.mean
        self.mean += off * step
        self.variance += step * (off * (kept - self.mean) - self.variance)

    def _remember(self, moment: int, amount: int, id_hash: int, fingerprint: int) -> None:
        self.ring_times.append(moment)
        self.ring_amounts.append(amount)
        self.ring_ids.append(id_hash)
        self.ring_fingerprints.append(fingerprint)
        while len(self.ring_times) > RING_SIZE:
            self._forget(0)
        horizon = self.newest - RING_SECONDS
        if min(self.ring_times) <= horizon:
            for position in range(len(self.ring_times) - _ALWAYS_KEPT - 1, -1, -1):
                if self.ring_times[position] <= horizon:
                    self._forget(position)

    def _forget(self, position: int) -> None:
        self.stood_in.discard(self.ring_ids[position])
        del self.ring_times[position], self.ring_amounts[position]
        del self.ring_ids[position], self.ring_fingerprints[position]


def pack(profile: Profile) -> bytes:
    """Bytes of this layout: version, width, ring length, then the columns; 239 bytes and 24 for each ring entry.

    A card whose days do not fit the narrow columns takes wide ones.
    """
    try:
        return _packed(profile, wide=False)
    except struct.error:
        return _packed(profile, wide=True)


def _packed(profile: Profile, *, wide: bool) -> bytes:
    length = len(profile.ring_times)
    amounts = profile.ring_amounts
    if profile.stood_in:
        ring = zip(amounts, profile.ring_ids, strict=True)
        amounts = [amount | _STOOD_IN if each in profile.stood_in else amount for amount, each in ring]
    return _layout(wide, length).pack(
        _WITH_STAND_INS if profile.stood_in else _VERSION,
        wide,
        length,
        profile.n,
        profile.newest,
        profile.mean,
        profile.variance,
        profile.stand_in_day,
        profile.stand_in_count,
        profile.stand_in_sum,
        *profile.counts,
        *profile.sums,
        *profile.peak_ratios,
        *profile.big_counts,
        *profile.ring_times,
        *amounts,
        *profile.ring_ids,
        *profile.ring_fingerprints,
    )


def unpack(data: bytes) -> Profile:
    """The profile that was packed. Raises ProfileCorrupt for an unknown version, wrong length or non-finite number."""
    values = _checked(data).unpack(data)
    profile = Profile.__new__(Profile)
    length = values[2]
    profile.n, profile.newest, profile.mean, profile.variance = values[3:7]
    profile.stand_in_day, profile.stand_in_count, profile.stand_in_sum = values[7:_HEADER_FIELDS]
    if not (0 <= profile.mean < math.inf and 0 <= profile.variance < math.inf):
        raise ProfileCorrupt("the running statistics are not finite")
    profile.day = profile.newest // SECONDS_PER_DAY
    profile.counts = list(values[_HEADER_FIELDS:_SUMS])
    profile.sums = list(values[_SUMS:_PEAKS])
    profile.peak_ratios = list(values[_PEAKS:_BIGS])
    profile.big_counts = list(values[_BIGS:_RING])
    ring = values[_RING:]
    profile.ring_times = list(ring[:length])
    profile.ring_amounts = list(ring[length : 2 * length])
    profile.ring_ids = list(ring[2 * length : 3 * length])
    profile.ring_fingerprints = list(ring[3 * length :])
    profile.stood_in = set()
    if values[0] == _WITH_STAND_INS:
        _take_marks(profile)
    return profile


def _take_marks(profile: Profile) -> None:
    ring = zip(profile.ring_ids, profile.ring_amounts, strict=True)
    profile.stood_in = {each for each, amount in ring if amount & _STOOD_IN}
    profile.ring_amounts = [amount & ~_STOOD_IN for amount in profile.ring_amounts]


_HEADER_FIELDS = 10
_SUMS = _HEADER_FIELDS + BUCKET_DAYS
_PEAKS = _SUMS + BUCKET_DAYS
_BIGS = _PEAKS + PEAK_DAYS
_RING = _BIGS + PEAK_DAYS


@cache
def _layout(wide: bool, length: int) -> struct.Struct:  # noqa: FBT001 - a cache key
    count, total = "HQ" if wide else "BI"
    buckets = f"{BUCKET_DAYS}{count}{BUCKET_DAYS}{total}{PEAK_DAYS}H{PEAK_DAYS}{count}"
    return struct.Struct(f"<B?BIIddHHQ{buckets}{length}I{length}Q{length}Q{length}I")


def _checked(data: bytes) -> struct.Struct:
    if len(data) < 3 or data[0] not in (_VERSION, _WITH_STAND_INS) or data[1] > 1 or data[2] > RING_SIZE:
        raise ProfileCorrupt(
            f"no profile of version {_VERSION} or {_WITH_STAND_INS}: begins with {data[:3].hex() or 'nothing'}"
        )
    layout = _layout(bool(data[1]), data[2])
    if len(data) != layout.size:
        raise ProfileCorrupt(f"a profile of this kind takes {layout.size} bytes, not {len(data)}")
    return layout
