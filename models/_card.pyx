# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A card on the hot path: profile, activity and features, compiled.

Bit by bit what `models.profile`, `models.profile_packing` and `models.regard` say in Python, which stay for where
nothing was compiled and as what this is held against (`tests/unit/test_compiled.py`). What is rare, a record of an
earlier release or one that is broken, goes their way.
"""

from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset
from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

import numpy as np

from models.acceptor_labels import LONGEST_HISTORY, OLDEST_DAYS, acceptor_latest, acceptor_windows
from models.activity import Activity
from models.currency import minor_per_major
from models.features import CARD_FRAUD_DAYS, FEATURES
from models.marks import NO_MARKS, Marks
from models.profile_packing import pack as pack_plainly
from models.profile_packing import unpack as unpack_plainly

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)  # its bytes are its characters then
    const void *PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef extern from *:
    """
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    #error "packed profiles are little-endian, and so must the machine be"
    #endif
    """

cdef enum:  # those of `models.profile` and `models.profile_packing`
    RING = 32
    BUCKETS = 31
    PEAKS = 15
    SPANS = 12
    WEEKDAYS = 7
    MERCHANT_DAYS = 45  # of `models.merchant_history`
    MATURED_AFTER = 7  # of `models.acceptor_labels`
    MERCHANTS = 12
    PLACES = 3
    CATEGORIES = 6
    ALWAYS_KEPT = 4
    ONCE = 8
    FULL = 247
    OLDEST_AGE = 255
    DAY = 86400
    VERSION = 3
    HEADER = 7
    WIDE = 1
    STAND_INS = 2
    MOST_WEIGHT = 200
    RATIO_STEPS = 64
    WIDTH = 59  # of FEATURES

cdef uint32_t MOST_TIME = 0xFFFFFFFF
cdef uint32_t MOST_HISTORY = 0xFFFFFFFF
cdef int64_t MOST_AMOUNT = 1_000_000_000_000
cdef uint64_t MOST_SUMMED = 1ULL << 63
cdef uint64_t SAFELY_ADDED = 1ULL << 58  # thirty-one of them are below 2**64
cdef double BIG_RATIO = 2.5
cdef double MOST_DEVIATIONS = 100.0
cdef double HALF_MEAN_WEIGHT = 5.0
cdef double WINSORISE_AT = 3.0
cdef double SLOWEST_STEP = 1.0 / 200
cdef double PRIOR = 4.0 * ONCE
cdef double NEARBY = SPANS / 4.0
cdef double OLDEST_VISIT = 60.0
cdef double LONGEST_IDLE = OLDEST_DAYS * DAY
cdef double LONGEST = LONGEST_HISTORY
cdef double CARD_FRAUD_SECONDS = CARD_FRAUD_DAYS * DAY
cdef object tuple_new = tuple.__new__
cdef array.array NUMBERS = array.array("d")


cdef struct Entry:
    uint32_t at
    uint64_t amount
    uint64_t id_hash
    uint32_t content
    uint16_t merchant
    uint8_t stood_in


cdef inline int64_t floor_div(int64_t value, int64_t by) noexcept nogil:
    cdef int64_t whole = value // by
    return whole - 1 if value % by < 0 else whole


cdef class Profile:
    """See `models.profile.Profile`. Its collections are given as copies."""

    cdef readonly uint32_t n
    cdef readonly double mean
    cdef readonly double variance
    cdef readonly uint32_t newest
    cdef readonly int64_t day
    cdef readonly int64_t stand_in_day
    cdef readonly uint16_t stand_in_count
    cdef readonly uint64_t stand_in_sum
    cdef uint16_t _counts[BUCKETS]
    cdef uint64_t _sums[BUCKETS]
    cdef uint16_t _peaks[PEAKS]
    cdef uint16_t _bigs[PEAKS]
    cdef uint8_t _hours[SPANS]
    cdef uint8_t _weekdays[WEEKDAYS]
    cdef uint16_t _merchants[MERCHANTS]
    cdef uint8_t _ages[MERCHANTS]
    cdef uint16_t _countries[PLACES]
    cdef uint16_t _devices[PLACES]
    cdef uint16_t _categories[CATEGORIES]
    cdef uint8_t _merchants_known, _countries_known, _devices_known, _categories_known, _ring_length
    cdef Entry _ring[RING + 1]

    @property
    def last_seen(self):
        """Latest event time observed, or None for a new card."""
        return self.newest if self.n else None

    @property
    def counts(self):
        """As `models.profile.counts_of` keeps them."""
        return _counts_of(self._counts, BUCKETS)

    @property
    def big_counts(self):
        """Likewise."""
        return _counts_of(self._bigs, PEAKS)

    @property
    def sums(self):
        """Of each day, the newest first."""
        return [self._sums[i] for i in range(BUCKETS)]

    @property
    def peak_ratios(self):
        """Likewise."""
        return [self._peaks[i] for i in range(PEAKS)]

    @property
    def hours(self):
        """By spans of the day."""
        return bytearray(self._hours[:SPANS])

    @property
    def weekdays(self):
        """Monday first."""
        return bytearray(self._weekdays[:WEEKDAYS])

    @property
    def merchants(self):
        """Marks, the latest first."""
        return [self._merchants[i] for i in range(self._merchants_known)]

    @property
    def merchant_ages(self):
        """Days before `day`."""
        return bytearray([self._ages[i] for i in range(self._merchants_known)])

    @property
    def countries(self):
        """Marks, the latest first."""
        return tuple([self._countries[i] for i in range(self._countries_known)])

    @property
    def devices(self):
        """Likewise."""
        return tuple([self._devices[i] for i in range(self._devices_known)])

    @property
    def categories(self):
        """Likewise."""
        return tuple([self._categories[i] for i in range(self._categories_known)])

    @property
    def ring(self):
        """Time, amount, hash of id, fingerprint of content and mark of merchant of each."""
        return [
            (self._ring[i].at, self._ring[i].amount, self._ring[i].id_hash, self._ring[i].content, self._ring[i].merchant)
            for i in range(self._ring_length)
        ]

    @property
    def stood_in(self):
        """Hashes of the ids that rules approved in the model's place."""
        return frozenset([self._ring[i].id_hash for i in range(self._ring_length) if self._ring[i].stood_in])

    def __reduce__(self):
        return unpack, (pack(self),)

    cpdef object find(self, uint64_t id_hash):
        """Content fingerprint of the transaction with this id hash, or None where the ring does not hold it."""
        cdef int i
        for i in range(self._ring_length):
            if self._ring[i].id_hash == id_hash:
                return self._ring[i].content
        return None

    cdef double _ratio(self, double amount) noexcept nogil:
        cdef double weight = self.n if self.n < MOST_WEIGHT else MOST_WEIGHT
        cdef double total = self.mean * weight + amount
        return amount * (weight + 1) / (total if total > 1.0 else 1.0)

    def ratio(self, amount_minor):
        """The amount as a multiple of the card's usual one, itself counted among the usual: 1.0 for a new card."""
        return self._ratio(amount_minor)

    cdef void _against_habit(self, double amount, double *ratio, double *deviations) noexcept nogil:
        cdef double mean = self.mean, weight, pooled, off
        if not self.n:
            ratio[0] = 1.0
            deviations[0] = 0.0
            return
        weight = self.n if self.n < MOST_WEIGHT else MOST_WEIGHT
        pooled = (self.variance * weight + mean * mean * HALF_MEAN_WEIGHT / 4) / (weight + HALF_MEAN_WEIGHT)
        off = (amount - mean) / (sqrt(pooled) if pooled > 1.0 else 1.0)
        if not -MOST_DEVIATIONS < off < MOST_DEVIATIONS:
            off = MOST_DEVIATIONS if off > 0 else -MOST_DEVIATIONS
        ratio[0] = amount * (weight + 1.0) / (mean * weight + amount)
        deviations[0] = off

    def against_habit(self, double amount_minor):
        """`ratio`, and how many deviations the amount is above the usual one, at most MOST_DEVIATIONS; 0 at first."""
        cdef double ratio, deviations
        self._against_habit(amount_minor, &ratio, &deviations)
        return ratio, deviations

    def observe(self, double at, amount_minor, uint64_t id_hash, uint32_t content, marks=NO_MARKS):
        """Take in one decided transaction."""
        merchant, country, device, category = marks
        cdef int64_t moment = <int64_t>at
        cdef int64_t amount = MOST_AMOUNT if amount_minor > MOST_AMOUNT else 0 if amount_minor < 0 else amount_minor
        if moment < 0:
            moment = 0
        elif moment > MOST_TIME:
            moment = MOST_TIME
        self._observe(<uint32_t>moment, amount, id_hash, content, merchant, country, device, category)

    cdef void _observe(
        self,
        uint32_t moment,
        uint64_t amount,
        uint64_t id_hash,
        uint32_t content,
        uint16_t merchant,
        uint16_t country,
        uint16_t device,
        uint16_t category,
    ) noexcept nogil:
        cdef int64_t day, days_ago
        if moment > self.newest:
            self._advance(moment)
        day = moment // DAY
        days_ago = self.day - day
        if days_ago < BUCKETS:
            self._count(<int>days_ago, amount)
        self._update_statistics(amount)
        self._grow_used_to(moment % DAY // (2 * 3600), <int>((day + 3) % WEEKDAYS))
        if merchant:
            self._visit(merchant, <uint8_t>(days_ago if days_ago < OLDEST_AGE else OLDEST_AGE))
        if country:
            _put_first(self._countries, &self._countries_known, country, PLACES)
        if device:
            _put_first(self._devices, &self._devices_known, device, PLACES)
        if category:
            _put_first(self._categories, &self._categories_known, category, CATEGORIES)
        self._remember(moment, amount, id_hash, content, merchant)

    def note_stand_in(self, double at, amount_minor, uint64_t id_hash):
        """Count an approval that rules gave in the model's place, of a payment that was observed."""
        cdef int64_t moment = <int64_t>at, day
        cdef uint64_t amount = MOST_AMOUNT if amount_minor > MOST_AMOUNT else 0 if amount_minor < 0 else amount_minor
        _stand_in(self, id_hash)
        moment = 0 if moment < 0 else MOST_TIME if moment > MOST_TIME else moment
        day = moment // DAY
        if day > self.stand_in_day:
            self.stand_in_day, self.stand_in_count, self.stand_in_sum = day, 0, 0
        if self.stand_in_count < 65535:
            self.stand_in_count += 1
        self.stand_in_sum += amount
        if self.stand_in_sum > MOST_SUMMED:
            self.stand_in_sum = MOST_SUMMED

    def stand_in_today(self, double at):
        """Count and sum of what rules approved in the model's place on the UTC day of `at` or, if late, after it."""
        if floor_div(<int64_t>at, DAY) > self.stand_in_day:
            return 0, 0
        return self.stand_in_count, self.stand_in_sum

    def stand_in_around(self, double at):
        """Approvals in the model's place: seconds before or after `at`, and amount, of each; and how far all are known."""
        cdef double ahead = self.newest - at
        known = 0.0 if self._ring_length >= RING else <double>DAY - (ahead if ahead > 0.0 else 0.0)
        around = [
            (abs(self._ring[i].at - at), self._ring[i].amount) for i in range(self._ring_length) if self._ring[i].stood_in
        ]
        return tuple(around), known

    cdef void _advance(self, uint32_t moment) noexcept nogil:
        cdef int64_t days = moment // DAY - self.day
        cdef int i, older
        self.newest = moment
        if not days:
            return
        self.day += days
        _shift16(self._counts, BUCKETS, days)
        _shift16(self._peaks, PEAKS, days)
        _shift16(self._bigs, PEAKS, days)
        if days >= BUCKETS:
            memset(self._sums, 0, sizeof(self._sums))
        else:
            memmove(&self._sums[days], &self._sums[0], (BUCKETS - days) * sizeof(uint64_t))
            memset(&self._sums[0], 0, days * sizeof(uint64_t))
        older = <int>(days if days < OLDEST_AGE else OLDEST_AGE)
        for i in range(self._merchants_known):
            self._ages[i] = <uint8_t>(self._ages[i] + older if self._ages[i] + older < OLDEST_AGE else OLDEST_AGE)

    cdef void _count(self, int days_ago, uint64_t amount) noexcept nogil:
        cdef double ratio
        cdef int64_t steps
        if self._counts[days_ago] < 65535:
            self._counts[days_ago] += 1
        self._sums[days_ago] += amount
        if self._sums[days_ago] > MOST_SUMMED:
            self._sums[days_ago] = MOST_SUMMED
        if days_ago >= PEAKS:
            return
        ratio = self._ratio(<double>amount)
        steps = <int64_t>(ratio * RATIO_STEPS)
        if steps > self._peaks[days_ago]:
            self._peaks[days_ago] = <uint16_t>(steps if steps < 65535 else 65535)
        if ratio > BIG_RATIO and self._bigs[days_ago] < 65535:
            self._bigs[days_ago] += 1

    cdef void _update_statistics(self, uint64_t amount) noexcept nogil:
        cdef double mean = self.mean, most = WINSORISE_AT * self.mean, kept, step, off
        kept = most if mean != 0.0 and most < <double>amount else <double>amount
        if self.n < MOST_HISTORY:
            self.n += 1
        step = 2.0 / (<double>self.n + 1.0)
        if step < SLOWEST_STEP:
            step = SLOWEST_STEP
        off = kept - mean
        self.mean = mean + off * step
        self.variance += step * (off * (kept - self.mean) - self.variance)

    cdef void _grow_used_to(self, int span, int weekday) noexcept nogil:
        cdef int i
        if self._hours[span] > FULL or self._weekdays[weekday] > FULL:
            for i in range(SPANS):
                self._hours[i] >>= 1
            for i in range(WEEKDAYS):
                self._weekdays[i] >>= 1
        self._hours[span] += ONCE
        self._weekdays[weekday] += ONCE

    cdef void _visit(self, uint16_t merchant, uint8_t age) noexcept nogil:
        cdef int position = 0, known = self._merchants_known
        while position < known and self._merchants[position] != merchant:
            position += 1
        if position < known:
            if position == 0 and self._ages[0] <= age:
                return
            if self._ages[position] < age:
                age = self._ages[position]
        elif known == MERCHANTS:
            if age > self._ages[known - 1]:
                return
            position = known - 1
        else:
            position = -1
        if position >= 0:
            memmove(&self._merchants[position], &self._merchants[position + 1], (known - position - 1) * sizeof(uint16_t))
            memmove(&self._ages[position], &self._ages[position + 1], known - position - 1)
            known -= 1
        position = 0
        while position < known and self._ages[position] < age:
            position += 1
        memmove(&self._merchants[position + 1], &self._merchants[position], (known - position) * sizeof(uint16_t))
        memmove(&self._ages[position + 1], &self._ages[position], known - position)
        self._merchants[position] = merchant
        self._ages[position] = age
        self._merchants_known = <uint8_t>(known + 1)

    cdef void _remember(
        self, uint32_t moment, uint64_t amount, uint64_t id_hash, uint32_t content, uint16_t merchant
    ) noexcept nogil:
        cdef int length = self._ring_length, position, kept = 0, most
        cdef uint8_t stood_in = 0
        cdef int64_t horizon = <int64_t>self.newest - DAY
        for position in range(length):
            if self._ring[position].id_hash == id_hash and self._ring[position].stood_in:
                stood_in = 1
        self._ring[length] = Entry(moment, amount, id_hash, content, merchant, stood_in)
        length += 1
        if length > RING:
            length -= 1
            memmove(&self._ring[0], &self._ring[1], length * sizeof(Entry))
        most = length - ALWAYS_KEPT
        for position in range(length):
            if position < most and <int64_t>self._ring[position].at <= horizon:
                continue
            if kept != position:
                self._ring[kept] = self._ring[position]
            kept += 1
        self._ring_length = <uint8_t>kept


cdef void _stand_in(Profile profile, uint64_t id_hash) noexcept nogil:
    cdef int i
    for i in range(profile._ring_length):
        if profile._ring[i].id_hash == id_hash:
            profile._ring[i].stood_in = 1


cdef object _counts_of(uint16_t *values, int length):
    cdef int i, most = 0
    for i in range(length):
        if values[i] > most:
            most = values[i]
    counts = [values[i] for i in range(length)]
    return bytearray(counts) if most <= 255 else counts


cdef void _shift16(uint16_t *values, int length, int64_t by) noexcept nogil:
    if by >= length:
        memset(values, 0, length * sizeof(uint16_t))
        return
    memmove(&values[by], &values[0], (length - by) * sizeof(uint16_t))
    memset(&values[0], 0, by * sizeof(uint16_t))


cdef void _put_first(uint16_t *known, uint8_t *length, uint16_t mark, int most) noexcept nogil:
    cdef int position = 0
    while position < length[0] and known[position] != mark:
        position += 1
    if position == length[0]:
        if position == most:
            position -= 1
        else:
            length[0] += 1
    memmove(&known[1], &known[0], position * sizeof(uint16_t))
    known[0] = mark


# --- packing ---


def pack(Profile profile not None):
    """Bytes of a profile, as `models.profile_packing.pack` writes them."""
    cdef int i, flags = STAND_INS if profile.stand_in_count else 0
    cdef int marks = (
        profile._merchants_known + profile._countries_known + profile._devices_known + profile._categories_known
    )
    cdef int each = 2
    cdef uint32_t marked = 0
    cdef uint16_t day
    for i in range(BUCKETS):
        if profile._counts[i] > 255 or profile._sums[i] > 0xFFFFFFFFULL:
            flags |= WIDE
            break
    for i in range(PEAKS):
        if profile._bigs[i] > 255:
            flags |= WIDE
    for i in range(profile._ring_length):
        if profile._ring[i].amount > 0xFFFFFFFFULL:
            flags |= WIDE
    cdef int wide = flags & WIDE
    cdef Py_ssize_t size = (
        HEADER + 4 + 4 + 8 + 8 + profile._merchants_known + SPANS + WEEKDAYS
        + BUCKETS * ((2 + 8) if wide else (1 + 4)) + PEAKS * (2 + (2 if wide else 1))
        + 2 * marks + profile._ring_length * (4 + (8 if wide else 4) + 8 + 4 + 2) + (16 if flags & STAND_INS else 0)
    )
    cdef bytes packed = PyBytes_FromStringAndSize(NULL, size)
    cdef char *to = PyBytes_AS_STRING(packed)
    to[0], to[1], to[2], to[3] = VERSION, <char>flags, <char>profile._ring_length, <char>profile._merchants_known
    to[4], to[5], to[6] = (
        <char>profile._countries_known, <char>profile._devices_known, <char>profile._categories_known
    )
    to += HEADER
    to = _put(to, &profile.n, 4)
    to = _put(to, &profile.newest, 4)
    to = _put(to, &profile.mean, 8)
    to = _put(to, &profile.variance, 8)
    to = _put(to, profile._ages, profile._merchants_known)
    to = _put(to, profile._hours, SPANS)
    to = _put(to, profile._weekdays, WEEKDAYS)
    if wide:
        to = _put(to, profile._counts, 2 * BUCKETS)
        to = _put(to, profile._sums, 8 * BUCKETS)
        to = _put(to, profile._peaks, 2 * PEAKS)
        to = _put(to, profile._bigs, 2 * PEAKS)
    else:
        for i in range(BUCKETS):
            to[i] = <char>profile._counts[i]
        to += BUCKETS
        for i in range(BUCKETS):
            to = _put(to, &profile._sums[i], 4)
        to = _put(to, profile._peaks, 2 * PEAKS)
        for i in range(PEAKS):
            to[i] = <char>profile._bigs[i]
        to += PEAKS
    to = _put(to, profile._merchants, 2 * profile._merchants_known)
    to = _put(to, profile._countries, 2 * profile._countries_known)
    to = _put(to, profile._devices, 2 * profile._devices_known)
    to = _put(to, profile._categories, 2 * profile._categories_known)
    for i in range(profile._ring_length):
        to = _put(to, &profile._ring[i].at, 4)
        to = _put(to, &profile._ring[i].amount, 8 if wide else 4)
        to = _put(to, &profile._ring[i].id_hash, 8)
        to = _put(to, &profile._ring[i].content, 4)
        to = _put(to, &profile._ring[i].merchant, 2)
        if profile._ring[i].stood_in:
            marked |= <uint32_t>1 << i
    if flags & STAND_INS:
        day = <uint16_t>profile.stand_in_day
        to = _put(to, &day, 2)
        to = _put(to, &profile.stand_in_count, 2)
        to = _put(to, &profile.stand_in_sum, 8)
        to = _put(to, &marked, 4)
    return packed


cdef inline char *_put(char *to, const void *what, Py_ssize_t size) noexcept nogil:
    memcpy(to, what, size)
    return to + size


def unpack(bytes data):
    """The profile that was packed, by this release or one before it. Raises ProfileCorrupt."""
    profile = _unpacked(data)
    if profile is None:  # of an earlier release, or broken: it says how
        profile = _unpacked(pack_plainly(unpack_plainly(data)))
    return profile


cdef Profile _unpacked(bytes data):
    """None where it is not of this layout or does not hold together."""
    cdef const char *whole = PyBytes_AS_STRING(data)
    cdef const uint8_t *head = <const uint8_t *>whole
    cdef Py_ssize_t size = len(data)
    if size < HEADER or head[0] != VERSION or head[1] > (WIDE | STAND_INS):
        return None
    cdef int flags = head[1], ring = head[2], merchants = head[3], countries = head[4], devices = head[5]
    cdef int categories = head[6], wide = flags & WIDE, i
    if ring > RING or merchants > MERCHANTS or countries > PLACES or devices > PLACES or categories > CATEGORIES:
        return None
    cdef Py_ssize_t expected = (
        HEADER + 4 + 4 + 8 + 8 + merchants + SPANS + WEEKDAYS
        + BUCKETS * ((2 + 8) if wide else (1 + 4)) + PEAKS * (2 + (2 if wide else 1))
        + 2 * (merchants + countries + devices + categories) + ring * (4 + (8 if wide else 4) + 8 + 4 + 2)
        + (16 if flags & STAND_INS else 0)
    )
    if size != expected:
        return None
    cdef Profile profile = Profile.__new__(Profile)
    cdef const char *at = whole + HEADER
    cdef uint32_t marked = 0
    cdef uint16_t day = 0
    at = _take(&profile.n, at, 4)
    at = _take(&profile.newest, at, 4)
    at = _take(&profile.mean, at, 8)
    at = _take(&profile.variance, at, 8)
    if not (0.0 <= profile.mean <= 1.7976931348623157e308 and 0.0 <= profile.variance <= 1.7976931348623157e308):
        return None
    profile.day = profile.newest // DAY
    profile._merchants_known, profile._countries_known = <uint8_t>merchants, <uint8_t>countries
    profile._devices_known, profile._categories_known = <uint8_t>devices, <uint8_t>categories
    profile._ring_length = <uint8_t>ring
    at = _take(profile._ages, at, merchants)
    at = _take(profile._hours, at, SPANS)
    at = _take(profile._weekdays, at, WEEKDAYS)
    if wide:
        at = _take(profile._counts, at, 2 * BUCKETS)
        at = _take(profile._sums, at, 8 * BUCKETS)
        at = _take(profile._peaks, at, 2 * PEAKS)
        at = _take(profile._bigs, at, 2 * PEAKS)
    else:
        for i in range(BUCKETS):
            profile._counts[i] = <uint8_t>at[i]
        at += BUCKETS
        for i in range(BUCKETS):
            at = _take(&profile._sums[i], at, 4)
        at = _take(profile._peaks, at, 2 * PEAKS)
        for i in range(PEAKS):
            profile._bigs[i] = <uint8_t>at[i]
        at += PEAKS
    at = _take(profile._merchants, at, 2 * merchants)
    at = _take(profile._countries, at, 2 * countries)
    at = _take(profile._devices, at, 2 * devices)
    at = _take(profile._categories, at, 2 * categories)
    for i in range(ring):
        at = _take(&profile._ring[i].at, at, 4)
        at = _take(&profile._ring[i].amount, at, 8 if wide else 4)
        at = _take(&profile._ring[i].id_hash, at, 8)
        at = _take(&profile._ring[i].content, at, 4)
        at = _take(&profile._ring[i].merchant, at, 2)
    if flags & STAND_INS:
        at = _take(&day, at, 2)
        at = _take(&profile.stand_in_count, at, 2)
        at = _take(&profile.stand_in_sum, at, 8)
        at = _take(&marked, at, 4)
        profile.stand_in_day = day
        for i in range(ring):
            if marked >> i & 1:
                _stand_in(profile, profile._ring[i].id_hash)
    return profile


cdef inline const char *_take(void *to, const char *at, Py_ssize_t size) noexcept nogil:
    memcpy(to, at, size)
    return at + size


# --- what the card just did ---


cdef struct Recent:
    int64_t count_10m, count_1h, count_1d
    uint64_t sum_10m, sum_1h, sum_1d
    int64_t merchants_1h, merchants_1d
    int64_t idle  # seconds
    int64_t hour


cdef Recent _activity(int64_t moment, Profile profile, uint16_t merchant) noexcept nogil:
    """What the card did before now, as `models.activity.activity` counts it."""
    cdef Recent recent
    cdef int64_t age, idle = moment - <int64_t>profile.newest
    cdef uint16_t[RING + 1] within_1h
    cdef uint16_t[RING + 1] within_1d
    cdef int known_1h = 0, known_1d = 0, i
    memset(&recent, 0, sizeof(recent))
    if idle < DAY:
        if merchant:
            within_1h[0] = within_1d[0] = merchant
            known_1h = known_1d = 1
        for i in range(profile._ring_length):
            age = moment - <int64_t>profile._ring[i].at
            if not 0 <= age < DAY:
                continue
            recent.count_1d += 1
            recent.sum_1d += profile._ring[i].amount
            known_1d = _met(within_1d, known_1d, profile._ring[i].merchant)
            if age < 3600:
                recent.count_1h += 1
                recent.sum_1h += profile._ring[i].amount
                known_1h = _met(within_1h, known_1h, profile._ring[i].merchant)
                if age < 600:
                    recent.count_10m += 1
                    recent.sum_10m += profile._ring[i].amount
    recent.merchants_1h = known_1h if known_1h else 1
    recent.merchants_1d = known_1d if known_1d else 1
    recent.idle = idle if idle > 0 else 0
    recent.hour = (moment - floor_div(moment, DAY) * DAY) // 3600
    return recent


cdef inline int _met(uint16_t *known, int length, uint16_t merchant) noexcept nogil:
    """Without a mark, of a profile from before there were any, is no merchant of its own."""
    cdef int i
    if not merchant:
        return length
    for i in range(length):
        if known[i] == merchant:
            return length
    known[length] = merchant
    return length + 1


# --- features ---


cdef inline int64_t _clipped(int64_t index, int64_t length) noexcept nogil:
    return 0 if index < 0 else length if index > length else index


cdef double _sum16(const uint16_t *values, int length, int64_t first, int64_t last) noexcept nogil:
    cdef uint64_t total = 0
    cdef int64_t i
    for i in range(_clipped(first, length), _clipped(last, length)):
        total += values[i]
    return <double>total


cdef double _sum64(const uint64_t *values, int length, int64_t first, int64_t last) except? -1.0:
    cdef uint64_t total = 0
    cdef int64_t i
    for i in range(_clipped(first, length), _clipped(last, length)):
        if values[i] >= SAFELY_ADDED:
            return float(sum([values[j] for j in range(_clipped(first, length), _clipped(last, length))]))
        total += values[i]
    return <double>total


cdef double _window16(const uint16_t *values, int length, int64_t first, double left, int days) noexcept nogil:
    """As `models.daily.window_sum`."""
    cdef int64_t last = first + days
    if last < 0:
        return 0.0
    cdef double total = _sum16(values, length, first, last)
    return total + left * values[last] if last < length else total


cdef double _window64(const uint64_t *values, int length, int64_t first, double left, int days) except? -1.0:
    cdef int64_t last = first + days
    if last < 0:
        return 0.0
    cdef double total = _sum64(values, length, first, last)
    return total + left * <double>values[last] if last < length else total


cdef double _days(tuple buckets, int64_t first, int64_t last) except? -1.0:
    cdef int64_t total = 0, i
    for i in range(_clipped(first, MERCHANT_DAYS), _clipped(last, MERCHANT_DAYS)):
        total += <int32_t>buckets[i]  # refuses what is not: no sum of them is beyond 64 bits
    return <double>total


cdef double _window_of(tuple buckets, int64_t first, double left, int days) except? -1.0:
    """As `models.daily.window_sum`."""
    cdef int64_t last = first + days
    if last < 0:
        return 0.0
    cdef double total = _days(buckets, first, last)
    return total + left * <double><int32_t>buckets[last] if last < MERCHANT_DAYS else total


cdef int _labelled(int64_t first, double left, merchant, double *into) except -1:
    """As `models.acceptor_labels.acceptor_windows`."""
    cdef tuple labelled = merchant.labelled, fraud = merchant.fraud
    if len(labelled) != MERCHANT_DAYS or len(fraud) != MERCHANT_DAYS:
        raise OverflowError
    cdef int i
    cdef int[3] days
    days[0], days[1], days[2] = MATURED_AFTER + 1, MATURED_AFTER + 7, MATURED_AFTER + 30
    for i in range(3):
        into[2 * i] = _window_of(labelled, first, left, days[i])
        into[2 * i + 1] = _window_of(fraud, first, left, days[i]) / into[2 * i] if into[2 * i] else 0.0
    return 0


cdef inline double _age_days(double at, since) except -1.0:
    if since is None:
        return OLDEST_VISIT
    cdef double age = (at - <double>since) / <double>DAY
    return 0.0 if age < 0.0 else age if age < OLDEST_VISIT else OLDEST_VISIT


cdef int _latest(double at, merchant, double *into) except -1:
    """As `models.acceptor_labels.acceptor_latest`."""
    cdef tuple recent = merchant.recent
    cdef Py_ssize_t count = len(recent), i
    cdef int64_t run = merchant.fraud_run
    cdef int of_all = 0, of_three = 0, outcome = 0
    for i in range(count):
        outcome = (<tuple>recent[i])[1] is True
        of_all += outcome
        if i >= count - 3:
            of_three += outcome
    into[0] = <double>run if run < LONGEST else LONGEST
    into[1] = _age_days(at, merchant.run_since)
    into[2] = _age_days(at, merchant.last_legitimate_at)
    into[3] = <double>outcome
    into[4] = of_three / <double>(count if count < 3 else 3) if count else 0.0
    into[5] = of_all / <double>count if count else 0.0
    into[6] = _age_days(at, merchant.last_fraud_at)
    return 0


cdef inline bint _holds(const uint16_t *known, int length, int mark) noexcept nogil:
    cdef int i
    for i in range(length):
        if known[i] == mark:
            return True
    return False


# --- texts of a payment ---

cdef uint32_t[256] CRC


cdef void _set_up():
    cdef uint32_t i, j, rest
    for i in range(256):
        rest = i
        for j in range(8):
            rest = (rest >> 1) ^ (0xEDB88320U if rest & 1 else 0)
        CRC[i] = rest


_set_up()


cdef uint16_t _mark(text) except? 0:
    """As `models.marks.mark`."""
    cdef const uint8_t *letters
    cdef Py_ssize_t length
    cdef uint32_t rest = 0xFFFFFFFFU
    cdef Py_ssize_t i
    cdef bytes encoded
    if text is None:
        return 0
    if PyUnicode_IS_ASCII(text):
        letters, length = <const uint8_t *>PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text)
    else:
        encoded = (<str>text).encode()
        letters, length = <const uint8_t *>PyBytes_AS_STRING(encoded), len(encoded)
    if not length:
        return 0
    for i in range(length):
        rest = (rest >> 8) ^ CRC[(rest ^ letters[i]) & 0xFF]
    return <uint16_t>((rest ^ 0xFFFFFFFFU) % 65535 + 1)


cdef inline uint8_t _letter(text) except? 0:
    """The only one of an ASCII text; 0 for any other text, and for none."""
    if text is None or not PyUnicode_IS_ASCII(text) or PyUnicode_GET_LENGTH(text) != 1:
        return 0
    return (<const uint8_t *>PyUnicode_DATA(text))[0]


cdef inline int _two_digits(text, bint whole) except? -1:
    """The number that the first two digits of a text are, or -1; `whole`: and there must be no more."""
    cdef const uint8_t *letters
    if text is None or not PyUnicode_IS_ASCII(text) or PyUnicode_GET_LENGTH(text) < 2:
        return -1
    if whole and PyUnicode_GET_LENGTH(text) != 2:
        return -1
    letters = <const uint8_t *>PyUnicode_DATA(text)
    if not (48 <= letters[0] <= 57 and 48 <= letters[1] <= 57):
        return -1
    return 10 * (letters[0] - 48) + letters[1] - 48


cdef int _circumstances(paid, double *into) except -1:
    """As `models.circumstances.circumstances`."""
    cdef int reader = _two_digits(paid.pan_entry_mode, False), eci
    cdef uint8_t avs = _letter(paid.avs_result), cvv = _letter(paid.cvv_result)
    channel, status, issuer, country = paid.channel, paid.three_ds_status, paid.card_country, paid.merchant_country
    into[0] = 1.0 if channel == "card_present" else 0.0
    into[1] = 1.0 if channel == "ecommerce" else 0.0
    into[2] = 1.0 if channel == "moto" else 0.0
    into[3] = 1.0 if channel == "recurring" else 0.0
    into[4] = reader == 5 or reader == 7 or reader == 95
    into[5] = reader == 2 or reader == 80 or reader == 90 or reader == 91
    into[6] = reader == 1
    into[7] = reader == 10
    cdef bint in_part = avs in (65, 66, 80, 87, 90)  # A, B, P, W, Z
    into[8] = 1.0 if avs in (68, 70, 77, 88, 89) else 0.5 if in_part else 0.0  # D, F, M, X, Y
    into[9] = 1.0 if avs in (67, 78) else 0.5 if in_part else 0.0  # C, N
    into[10] = 1.0 if cvv == 77 else 0.0  # M
    into[11] = 1.0 if cvv == 78 else 0.0  # N
    if status:
        into[12] = 1.0 if status == "Y" else 0.5 if status == "A" else 0.0
    else:
        eci = _two_digits(paid.eci, True)
        into[12] = 1.0 if eci == 5 else 0.5 if eci == 6 else 0.0
    into[13] = 1.0 if status == "N" or status == "R" else 0.5 if status == "U" else 0.0
    into[14] = 1.0 if issuer is not None and country is not None and issuer != country else 0.0
    return 0


# --- what rules and the model see ---


def regard(double at, paid not None, Profile profile not None, merchant, card_fraud_at):
    """As `models.regard.regard`."""
    cdef int64_t moment = <int64_t>at
    cdef uint16_t store = _mark(paid.merchant_id or paid.acceptor), country = _mark(paid.merchant_country)
    cdef uint16_t device = _mark(paid.device_id), category = _mark(paid.mcc)
    cdef Recent recent = _activity(moment, profile, store)
    values = (
        recent.count_10m,
        recent.count_1h,
        recent.count_1d,
        recent.sum_10m,
        recent.sum_1h,
        recent.sum_1d,
        recent.merchants_1h,
        recent.merchants_1d,
        recent.idle if profile.n else None,
        recent.hour,
    )
    row = _features(at, paid, store, country, device, category, profile, recent, merchant, card_fraud_at)
    return tuple_new(Marks, (store, country, device, category)), tuple_new(Activity, values), row


cdef array.array _features(
    double at,
    paid,
    uint16_t store,
    uint16_t country,
    uint16_t device,
    uint16_t category,
    Profile profile,
    Recent recent,
    merchant,
    card_fraud_at,
):
    """The numbers of FEATURES, as `models.features.features` makes them."""
    cdef double amount = paid.amount_minor
    cdef double unit = minor_per_major(paid.currency)
    cdef int64_t moment = <int64_t>at, day = floor_div(moment, DAY), first = profile.day - day
    cdef double left = 1.0 - (at - <double>(day * DAY)) / <double>DAY
    cdef int64_t hour = recent.hour
    cdef int weekday = <int>((day + 3) % WEEKDAYS), span = <int>(hour // 2)
    if weekday < 0:
        weekday += WEEKDAYS
    cdef int i, used_up = 0
    for i in range(WEEKDAYS):
        used_up += profile._weekdays[i]
    cdef double used = used_up + PRIOR
    cdef double earlier = recent.count_1d, spent = recent.sum_1d
    if profile._ring_length == RING:  # it may have lost some of the day
        earlier = _window16(profile._counts, BUCKETS, first, left, 1)
        spent = _window64(profile._sums, BUCKETS, first, left, 1)
    cdef double count_7d = _window16(profile._counts, BUCKETS, first, left, 7)
    cdef double count_30d = _window16(profile._counts, BUCKETS, first, left, 30)
    cdef double sum_7d = _window64(profile._sums, BUCKETS, first, left, 7)
    cdef double sum_30d = _window64(profile._sums, BUCKETS, first, left, 30)
    cdef double big_14d = _window16(profile._bigs, PEAKS, first, left, 14)
    cdef int64_t peak_7d = 0, last = first + 7 + (1 if left > 0.5 else 0)
    for i in range(_clipped(first, PEAKS), _clipped(last, PEAKS)):
        if profile._peaks[i] > peak_7d:
            peak_7d = profile._peaks[i]
    cdef double by_day = earlier + 1.0, by_week = count_7d + 1.0, by_month = count_30d + 1.0
    cdef double stores_7d = 1.0, stores_30d = 1.0, is_new = 0.0, visit_age = OLDEST_VISIT
    cdef int known = profile._merchants_known, week, month, later
    cdef int64_t age
    if known:
        later = 0
        if first > 0:
            while later < known and profile._ages[later] < first:
                later += 1
        week = month = 0
        while week < known and profile._ages[week] < first + 7:
            week += 1
        while month < known and profile._ages[month] < first + 30:
            month += 1
        stores_7d, stores_30d, is_new = week - later + 1.0, month - later + 1.0, 1.0
        for i in range(known):
            if profile._merchants[i] == store:
                age = profile._ages[i] - first
                stores_7d -= 1.0 if 0 <= age < 7 else 0.0
                stores_30d -= 1.0 if 0 <= age < 30 else 0.0
                is_new = 0.0
                visit_age = 0.0 if age < 0 else <double>age if age < OLDEST_VISIT else OLDEST_VISIT
                break
    cdef double ratio, deviations
    profile._against_habit(amount, &ratio, &deviations)
    cdef double[6] labels = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    cdef double[7] latest = [0.0, OLDEST_VISIT, OLDEST_VISIT, 0.0, 0.0, 0.0, OLDEST_VISIT]
    if merchant is not None:
        try:
            _labelled(<int64_t>merchant.newest_day - day, left, merchant, labels)
            _latest(at, merchant, latest)
        except OverflowError:  # of counts that nobody has
            labels = acceptor_windows(merchant.newest_day - day, left, merchant)
            latest = acceptor_latest(at, merchant)
    cdef double idle_seconds = recent.idle if profile.n else LONGEST_IDLE
    if idle_seconds > LONGEST_IDLE:
        idle_seconds = LONGEST_IDLE
    cdef double[15] around_it
    _circumstances(paid, around_it)
    cdef const uint8_t *hours = profile._hours
    cdef int around = 2 * hours[span] + hours[(span + SPANS - 1) % SPANS] + hours[(span + 1) % SPANS]
    cdef double[WIDTH] row = [
        amount / unit,
        1.0 if weekday >= 5 else 0.0,
        1.0 if hour < 7 else 0.0,
        by_day,
        (spent + amount) / by_day / unit,
        by_week,
        (sum_7d + amount) / by_week / unit,
        by_month,
        (sum_30d + amount) / by_month / unit,
        labels[0],
        labels[1],
        labels[2],
        labels[3],
        labels[4],
        labels[5],
        ratio,
        deviations,
        <double>profile.n if profile.n < LONGEST else LONGEST,
        peak_7d / <double>RATIO_STEPS,
        big_14d,
        1.0 if card_fraud_at is not None and at - <double>card_fraud_at < CARD_FRAUD_SECONDS else 0.0,
        latest[0],
        latest[1],
        latest[2],
        latest[3],
        latest[4],
        latest[5],
        latest[6],
        <double>recent.count_10m,
        <double>recent.sum_10m / unit,
        <double>recent.count_1h,
        <double>recent.sum_1h / unit,
        <double>recent.merchants_1h,
        <double>recent.merchants_1d,
        idle_seconds / 60.0,
        (NEARBY * around + PRIOR) / used,
        (<double>(WEEKDAYS * profile._weekdays[weekday]) + PRIOR) / used,
        stores_7d,
        stores_30d,
        is_new,
        visit_age,
        1.0 if country and profile._countries_known and not _holds(profile._countries, profile._countries_known, country) else 0.0,
        1.0 if device and profile._devices_known and not _holds(profile._devices, profile._devices_known, device) else 0.0,
        1.0 if category and profile._categories_known and not _holds(profile._categories, profile._categories_known, category) else 0.0,
        around_it[0],
        around_it[1],
        around_it[2],
        around_it[3],
        around_it[4],
        around_it[5],
        around_it[6],
        around_it[7],
        around_it[8],
        around_it[9],
        around_it[10],
        around_it[11],
        around_it[12],
        around_it[13],
        around_it[14],
    ]
    cdef array.array made = array.clone(NUMBERS, WIDTH, False)
    memcpy(made.data.as_doubles, row, sizeof(row))
    return made


if len(FEATURES) != WIDTH:
    raise ImportError(f"made for {WIDTH} features, not {len(FEATURES)}")


def matrix_of(list rows not None):
    """As `models.features.matrix_of`."""
    cdef Py_ssize_t count = len(rows), i
    cdef bytes packed = PyBytes_FromStringAndSize(NULL, count * WIDTH * sizeof(double))
    cdef double *to = <double *>PyBytes_AS_STRING(packed)
    cdef array.array row
    for i in range(count):
        row = rows[i]
        if len(row) != WIDTH or row.ob_descr.typecode != b"d":
            raise ValueError(f"{len(row)} features of type {row.typecode}, not {WIDTH} of d")
        memcpy(to + i * WIDTH, row.data.as_doubles, WIDTH * sizeof(double))
    return np.frombuffer(packed, "<f8").reshape(count, WIDTH)
