"""The card's profile: what is remembered of a card between transactions, in at most a few hundred bytes.

Amounts are minor units, times whole seconds since 1970. A mutable slotted class, not a frozen record: it is unpacked,
changed and packed once per transaction, and copying it on each change would double that cost.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from math import sqrt

from models.daily import SECONDS_PER_DAY, advance
from models.marks import NO_MARKS, Marks

RING_SIZE = 32
RING_SECONDS = SECONDS_PER_DAY
BUCKET_DAYS = 31  # a rolling window of 30 days touches 31 calendar days
PEAK_DAYS = 15
BIG_RATIO = 2.5
RATIO_STEPS = 64  # ratios are kept in 64ths, so that a packed profile comes back bit by bit the same
HOURS_PER_SPAN = 2  # of the day, that are one in `hours`
SPANS = 24 // HOURS_PER_SPAN
WEEKDAYS = 7
MERCHANTS = 12  # latest distinct ones known
PLACES = 3  # countries; and devices
CATEGORIES = 6
MOST_DEVIATIONS = 100.0
ONCE = 8  # what one payment adds to a habit
OLDEST_AGE = 255
_FULL = 255 - ONCE
_MOST_IN_BYTES = 255
_SPAN_SECONDS = HOURS_PER_SPAN * 3_600

_ALWAYS_KEPT = 4  # latest arrivals stay in the ring however old they are: a repeated late record must be recognised
_WINSORISE_AT = 3.0
_MOST_WEIGHT = 200
_SLOWEST_STEP = 1 / _MOST_WEIGHT
_HALF_MEAN_WEIGHT = 5.0
_MAX_AMOUNT = 10**12
_MAX_TIME = 2**32 - 1
_MAX_RATIO_STEPS = 2**16 - 1
_MOST_COUNTED = 2**16 - 1
_MOST_SUMMED = 2**63
_MOST_HISTORY = 2**32 - 1
_HALVED = bytes(each >> 1 for each in range(256))


RingEntry = tuple[int, int, int, int, int]  # time, amount, hash of id, fingerprint of content, mark of merchant
Counts = bytearray | list[int]


def counts_of(values: Sequence[int]) -> Counts:
    """Counts as a profile has them: bytes, or a list where one of them is above 255."""
    return bytearray(values) if max(values) <= _MOST_IN_BYTES else list(values)


class ProfileCorrupt(ValueError):
    """Packed bytes that are no profile of a layout known here."""


class Profile:
    """Running statistics, daily buckets, habits, the ring of recent transactions and today's stand-in approvals.

    Events may come late: a late one is counted on its own day and never moves `last_seen` back. Buckets are newest
    day first and `day` is the day of `last_seen`. The ring has time, amount, id, fingerprint and merchant of each, in
    order of arrival; `stood_in` has the ids of those whose payments rules approved in the model's place. `counts` and
    `big_counts` are bytes while each of them fits, as it does for nearly every card: packing copies them as they are.

    `hours` and `weekdays` (Monday first) grow by ONCE for each payment and are all halved when one would pass 255: old
    habits fade, and both have nearly the same sum. `merchants`, `countries`, `devices` and `categories` are marks of
    the latest distinct ones, newest first, and `merchant_ages` how many days before `day` the card was last at each
    merchant, ascending.
    """

    __slots__ = (
        "big_counts",
        "categories",
        "countries",
        "counts",
        "day",
        "devices",
        "hours",
        "mean",
        "merchant_ages",
        "merchants",
        "n",
        "newest",
        "peak_ratios",
        "ring",
        "stand_in_count",
        "stand_in_day",
        "stand_in_sum",
        "stood_in",
        "sums",
        "variance",
        "weekdays",
    )

    def __init__(self) -> None:
        self.n = 0
        self.mean = 0.0
        self.variance = 0.0
        self.newest = 0
        self.day = 0
        self.counts: Counts = bytearray(BUCKET_DAYS)
        self.sums = [0] * BUCKET_DAYS
        self.peak_ratios = [0] * PEAK_DAYS
        self.big_counts: Counts = bytearray(PEAK_DAYS)
        self.hours = bytearray(SPANS)
        self.weekdays = bytearray(WEEKDAYS)
        self.merchants: list[int] = []
        self.merchant_ages = bytearray()
        self.countries: tuple[int, ...] = ()
        self.devices: tuple[int, ...] = ()
        self.categories: tuple[int, ...] = ()
        self.ring: list[RingEntry] = []
        self.stand_in_day = 0
        self.stand_in_count = 0
        self.stand_in_sum = 0
        self.stood_in: frozenset[int] = frozenset()

    @property
    def last_seen(self) -> int | None:
        """Latest event time observed, or None for a new card."""
        return self.newest if self.n else None

    def find(self, id_hash: int) -> int | None:
        """Content fingerprint of the transaction with this id hash, or None where the ring does not hold it."""
        for _, _, known, fingerprint, _ in self.ring:
            if known == id_hash:
                return fingerprint
        return None

    def ratio(self, amount_minor: int) -> float:
        """The amount as a multiple of the card's usual one, itself counted among the usual: 1.0 for a new card."""
        weight = self.n if self.n < _MOST_WEIGHT else _MOST_WEIGHT
        total = self.mean * weight + amount_minor
        return amount_minor * (weight + 1) / (total if total > 1.0 else 1.0)

    def against_habit(self, amount_minor: float) -> tuple[float, float]:
        """`ratio`, and how many deviations the amount is above the usual one, at most MOST_DEVIATIONS; 0 at first.

        The deviation is robust, and drawn towards half the mean while the card is new.
        """
        n, mean = self.n, self.mean
        if not n:
            return 1.0, 0.0
        weight = n + 0.0 if n < _MOST_WEIGHT else _MOST_WEIGHT + 0.0
        pooled = (self.variance * weight + mean * mean * _HALF_MEAN_WEIGHT / 4) / (weight + _HALF_MEAN_WEIGHT)
        off = (amount_minor - mean) / (sqrt(pooled) if pooled > 1.0 else 1.0)
        if not -MOST_DEVIATIONS < off < MOST_DEVIATIONS:
            off = MOST_DEVIATIONS if off > 0 else -MOST_DEVIATIONS
        return amount_minor * (weight + 1.0) / (mean * weight + amount_minor), off

    def observe(self, at: float, amount_minor: int, id_hash: int, fingerprint: int, marks: Marks = NO_MARKS) -> None:
        """Take in one decided transaction."""
        moment = int(at)
        if not 0 <= moment <= _MAX_TIME:
            moment = min(max(moment, 0), _MAX_TIME)
        amount = amount_minor if 0 <= amount_minor <= _MAX_AMOUNT else min(max(amount_minor, 0), _MAX_AMOUNT)
        if moment > self.newest:
            self._advance(moment)
        day = moment // SECONDS_PER_DAY
        days_ago = self.day - day
        if days_ago < BUCKET_DAYS:
            self._count(days_ago, amount)
        self._update_statistics(amount)
        self._grow_used_to(moment % SECONDS_PER_DAY // _SPAN_SECONDS, (day + 3) % WEEKDAYS)  # 1970-01-01: Thursday
        self._meet(marks, days_ago if days_ago < OLDEST_AGE else OLDEST_AGE)
        self._remember((moment, amount, id_hash, fingerprint, marks[0]))

    def note_stand_in(self, at: float, amount_minor: int, id_hash: int) -> None:
        """Count an approval that rules gave in the model's place, of a payment that was observed.

        By UTC day, of which a new one starts from nothing and a late event draws on the latest; and in the ring.
        """
        if self.find(id_hash) is not None:
            self.stood_in |= {id_hash}
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
        known = 0.0 if len(self.ring) >= RING_SIZE else RING_SECONDS - max(0.0, self.newest - at)
        if not self.stood_in:
            return (), known
        around = ((abs(moment - at), amount) for moment, amount, each, _, _ in self.ring if each in self.stood_in)
        return tuple(around), known

    def _advance(self, moment: int) -> None:
        self.newest = moment
        days = moment // SECONDS_PER_DAY - self.day
        if days:
            self.day += days
            for buckets in (self.counts, self.sums, self.peak_ratios, self.big_counts):
                advance(buckets, days)
            if isinstance(self.counts, list):  # rare; and big counts are never more
                self.counts, self.big_counts = counts_of(self.counts), counts_of(self.big_counts)
            if self.merchant_ages:
                self.merchant_ages = self.merchant_ages.translate(_older(days if days < OLDEST_AGE else OLDEST_AGE))

    def _count(self, days_ago: int, amount: int) -> None:
        counts, sums, peaks = self.counts, self.sums, self.peak_ratios
        count = counts[days_ago]
        if count < _MOST_IN_BYTES:
            counts[days_ago] = count + 1
        else:
            self.counts = _one_more(counts, days_ago)
        total = sums[days_ago] + amount
        sums[days_ago] = total if total < _MOST_SUMMED else _MOST_SUMMED
        if days_ago >= PEAK_DAYS:
            return
        ratio = self.ratio(amount)
        steps = int(ratio * RATIO_STEPS)
        if steps > peaks[days_ago]:
            peaks[days_ago] = steps if steps < _MAX_RATIO_STEPS else _MAX_RATIO_STEPS
        if ratio > BIG_RATIO:
            self.big_counts = _one_more(self.big_counts, days_ago)

    def _update_statistics(self, amount: int) -> None:
        """Running mean and variance. Later amounts weigh more at first (2/(n+1)): an odd first is soon forgotten."""
        mean, most = self.mean, _WINSORISE_AT * self.mean
        kept = most if mean and most < amount else float(amount)
        if self.n < _MOST_HISTORY:
            self.n += 1
        step = 2 / (self.n + 1)
        if step < _SLOWEST_STEP:
            step = _SLOWEST_STEP
        off = kept - mean
        self.mean = mean + off * step
        self.variance += step * (off * (kept - self.mean) - self.variance)

    def _grow_used_to(self, span: int, weekday: int) -> None:
        hours, weekdays = self.hours, self.weekdays
        if hours[span] > _FULL or weekdays[weekday] > _FULL:
            self.hours = hours = hours.translate(_HALVED)
            self.weekdays = weekdays = weekdays.translate(_HALVED)
        hours[span] += ONCE
        weekdays[weekday] += ONCE

    def _meet(self, marks: Marks, age: int) -> None:
        """Remember where, in which country, from which device and for what was paid, so many days ago."""
        merchant, country, device, category = marks
        countries, devices, categories = self.countries, self.devices, self.categories
        if merchant:
            self._visit(merchant, age)
        if country and not (countries and countries[0] == country):
            self.countries = _put_first(countries, country, PLACES)
        if device and not (devices and devices[0] == device):
            self.devices = _put_first(devices, device, PLACES)
        if category and not (categories and categories[0] == category):
            self.categories = _put_first(categories, category, CATEGORIES)

    def _visit(self, merchant: int, age: int) -> None:
        merchants, ages = self.merchants, self.merchant_ages
        if merchant in merchants:
            position = merchants.index(merchant)
            known = ages[position]
            if position == 0 and known <= age:
                return
            del merchants[position], ages[position]
            if known < age:
                age = known
        elif len(merchants) == MERCHANTS:
            if age > ages[-1]:
                return
            del merchants[-1], ages[-1]
        position = bisect_left(ages, age) if age else 0
        merchants.insert(position, merchant)
        ages.insert(position, age)

    def _remember(self, entry: RingEntry) -> None:
        ring = self.ring
        ring.append(entry)
        known = len(ring)
        if known > RING_SIZE:
            del ring[0]
        horizon = self.newest - RING_SECONDS
        for position in range(len(ring) - _ALWAYS_KEPT - 1, -1, -1):
            if ring[position][0] <= horizon:
                del ring[position]
        if self.stood_in and len(ring) < known:
            self.stood_in &= {each for _, _, each, _, _ in ring}


def _one_more(counts: Counts, position: int) -> Counts:
    """The same counts after one more, at most _MOST_COUNTED; a list once that is no byte."""
    count = counts[position]
    if count == _MOST_IN_BYTES:
        counts = list(counts)
    if count < _MOST_COUNTED:
        counts[position] = count + 1
    return counts


def _put_first(known: tuple[int, ...], mark: int, most: int) -> tuple[int, ...]:
    if mark not in known:
        return (mark, *known[: most - 1])
    position = known.index(mark)
    return (mark, *known[:position], *known[position + 1 :])


@cache
def _older(days: int) -> bytes:
    """A table for `translate`: each age so many days later."""
    return bytes(min(age + days, OLDEST_AGE) for age in range(256))
