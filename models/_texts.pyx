# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The texts of a payment on the hot path, compiled: their form, what is peculiar in their bytes, and numbers that stand for
them.

The same as `models.plain_texts`, which stays for where nothing was compiled and as what this is held against
(`tests/unit/test_compiled.py`).
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.datetime cimport (
    PyDateTime_Check,
    PyDateTime_DATE_GET_HOUR,
    PyDateTime_DATE_GET_MICROSECOND,
    PyDateTime_DATE_GET_MINUTE,
    PyDateTime_DATE_GET_SECOND,
    PyDateTime_GET_DAY,
    PyDateTime_GET_MONTH,
    PyDateTime_GET_YEAR,
    import_datetime,
)

import re
from datetime import UTC

from models.plain_texts import Contents as PlainContents
from models.plain_texts import Forms as PlainForms

import_datetime()

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)  # its bytes are its characters then
    const void *PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef enum:
    MOST_FIELDS = 32
    LEAST_DIGITS = 13  # of a card number
    MOST_DIGITS = 19
    NOT_PLAIN = 1  # of `models.plain_texts`
    CARD_NUMBER = 2
    MOST_CONTENT = 4096  # bytes; what is longer goes the other way
    BLOCK = 128

cdef object utc = UTC


# --- form ---


cdef class Forms:
    """See `models.plain_texts.Forms`, which they leave it to where a pattern is more than a set of ASCII characters
    and how many there may be.
    """

    cdef object _plainly  # None where all are no more
    cdef tuple _names
    cdef int _count
    cdef uint8_t[MOST_FIELDS][128] _allowed
    cdef Py_ssize_t[MOST_FIELDS] _least
    cdef Py_ssize_t[MOST_FIELDS] _most

    def __cinit__(self, patterns):
        sets = [re.fullmatch(r"(\[[^\]\\^]+\])(?:\{(\d+)(?:,(\d+))?\})?", each) for each in patterns.values()]
        self._plainly = PlainForms(patterns).holds if None in sets or len(sets) > MOST_FIELDS else None
        self._names, self._count = tuple(patterns), 0 if self._plainly else len(sets)
        for i in range(self._count):
            letters, least, most = sets[i].groups()
            for letter in range(128):
                self._allowed[i][letter] = re.fullmatch(letters, chr(letter)) is not None
            self._least[i] = int(least or 1)
            self._most[i] = int(most or least or 1)

    def holds(self, record):
        """Whether every text is as it must be, or None."""
        cdef int i
        cdef Py_ssize_t j, length
        cdef const uint8_t *letters
        if self._plainly is not None:
            return self._plainly(record)
        for i in range(self._count):
            text = getattr(record, <str>self._names[i])
            if text is None:
                continue
            if not isinstance(text, str) or not PyUnicode_IS_ASCII(text):
                return False
            length, letters = PyUnicode_GET_LENGTH(text), <const uint8_t *>PyUnicode_DATA(text)
            if length < self._least[i] or length > self._most[i]:
                return False
            for j in range(length):
                if not self._allowed[i][letters[j]]:
                    return False
        return True


# --- what is peculiar: card numbers as `models.card_numbers` knows them, and what is not plain ---


cdef uint8_t[256] DIGIT  # 1 for a digit
cdef uint8_t[256] GOES_ON  # 1 where a run of digits goes on
cdef uint8_t[256] ODD  # 1 for what is not ASCII, and the backslash


cdef void _set_up():
    cdef int i
    for i in range(256):
        DIGIT[i] = 48 <= i <= 57
        GOES_ON[i] = DIGIT[i] or i == 32 or i == 45
        ODD[i] = i > 127 or i == 92


_set_up()


def peculiarities(bytes data not None):
    """As `models.plain_texts.peculiarities`. Without branches at first: where digits stand cannot be foretold."""
    cdef const uint8_t *start = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), i
    cdef uint32_t run = 0, longest = 0
    cdef uint8_t odd = 0
    cdef bint found = False
    for i in range(size):
        run = (run + DIGIT[start[i]]) & (<uint32_t>0 - GOES_ON[start[i]])
        longest = run if run > longest else longest
        odd |= ODD[start[i]]
    if odd and b"\\u" in data:
        found = _holds_once_unescaped(start, size)
    elif longest >= LEAST_DIGITS:
        found = _holds_card_number(start, size)
    return (NOT_PLAIN if odd else 0) | (CARD_NUMBER if found else 0)


def may_hold_card_number(bytes data not None):
    """As `models.plain_texts.may_hold_card_number`."""
    return bool(peculiarities(data) & CARD_NUMBER)


cdef bint _holds_once_unescaped(const uint8_t *raw, Py_ssize_t size) except -1:
    cdef uint8_t *text = <uint8_t *>malloc(size)
    cdef Py_ssize_t i = 0, length = 0
    cdef int letter
    cdef bint found
    if text == NULL:
        raise MemoryError
    while i < size:
        letter = raw[i]
        i += 1
        if letter == 92 and i < size:
            if raw[i] != 117:  # it stands for itself with what follows, a backslash too
                text[length] = 92
                length += 1
                letter = raw[i]
                i += 1
            elif i + 4 < size and (letter := _of_four(raw + i + 1)) >= 0:
                i += 5
            else:
                letter = 92
        text[length] = <uint8_t>(letter if letter < 256 else 63)
        length += 1
    found = _holds_card_number(text, length)
    free(text)
    return found


cdef int _of_four(const uint8_t *digits) noexcept nogil:
    """The number of four hexadecimal digits, or -1."""
    cdef int number = 0, i, digit
    for i in range(4):
        digit = digits[i]
        if DIGIT[digit]:
            digit -= 48
        else:
            digit |= 32
            if not 97 <= digit <= 102:
                return -1
            digit -= 87
        number = 16 * number + digit
    return number


cdef bint _holds_card_number(const uint8_t *text, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t i = 0, start, length
    while i < size:
        if not DIGIT[text[i]]:
            i += 1
            continue
        start = i
        i = _after_digits(text, i, size)
        length = i - start
        if start >= 2 and text[start - 1] == 46 and DIGIT[text[start - 2]]:  # after a decimal point
            continue
        if LEAST_DIGITS <= length <= MOST_DIGITS and _is_card_number(text + start, <int>length):
            return True
        if length == 4 and i < size and (text[i] == 32 or text[i] == 45) and _is_grouped(text, start, size):
            return True
    return False


cdef inline Py_ssize_t _after_digits(const uint8_t *text, Py_ssize_t i, Py_ssize_t size) noexcept nogil:
    while i < size and DIGIT[text[i]]:
        i += 1
    return i


cdef bint _is_grouped(const uint8_t *text, Py_ssize_t start, Py_ssize_t size) noexcept nogil:
    """Whether four digits and what follows them are a card number as it is printed."""
    cdef uint8_t[MOST_DIGITS] digits
    cdef Py_ssize_t i = start + 4, after, length
    cdef uint8_t separator = text[i]
    cdef int count = 4, groups = 1
    cdef bint in_fours = True
    memcpy(digits, text + start, 4)
    while i + 1 < size and text[i] == separator:
        after = _after_digits(text, i + 1, size)
        length = after - i - 1
        if not 1 <= length <= 6 or count + length > MOST_DIGITS:
            return False
        memcpy(digits + count, text + i + 1, length)
        count += <int>length
        groups += 1
        i = after
        if groups == 2:
            in_fours = length == 4
            if not in_fours and length != 6:
                return False
        elif groups == 3 and not in_fours:
            return 4 <= length <= 5 and _is_card_number(digits, count)
        elif groups == 5:
            return _is_card_number(digits, count)
        elif length != 4:
            return False
        elif groups == 4 and _is_card_number(digits, count):
            return True
    return False


cdef bint _is_card_number(const uint8_t *digits, int count) noexcept nogil:
    """What some network issues, by its first digit and Luhn's check."""
    cdef int i, digit, total = 0
    if digits[0] == 48 or (digits[0] == 49 and count != 15) or (digits[0] == 50 and count != 16 and count != 19):
        return False
    for i in range(count):
        digit = digits[count - 1 - i] - 48
        if i & 1:
            digit = 2 * digit - 9 if digit > 4 else 2 * digit
        total += digit
    return total % 10 == 0


# --- numbers that stand for texts: BLAKE2b (RFC 7693), unkeyed, of up to 8 bytes ---

cdef uint64_t[8] IV = [
    0x6A09E667F3BCC908ULL, 0xBB67AE8584CAA73BULL, 0x3C6EF372FE94F82BULL, 0xA54FF53A5F1D36F1ULL,
    0x510E527FADE682D1ULL, 0x9B05688C2B3E6C1FULL, 0x1F83D9ABFB41BD6BULL, 0x5BE0CD19137E2179ULL,
]

cdef extern from *:
    """
    static const unsigned char SIGMA[12][16] = {
        { 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15},
        {14, 10,  4,  8,  9, 15, 13,  6,  1, 12,  0,  2, 11,  7,  5,  3},
        {11,  8, 12,  0,  5,  2, 15, 13, 10, 14,  3,  6,  7,  1,  9,  4},
        { 7,  9,  3,  1, 13, 12, 11, 14,  2,  6,  5, 10,  4,  0, 15,  8},
        { 9,  0,  5,  7,  2,  4, 10, 15, 14,  1, 11, 12,  6,  8,  3, 13},
        { 2, 12,  6, 10,  0, 11,  8,  3,  4, 13,  7,  5, 15, 14,  1,  9},
        {12,  5,  1, 15, 14, 13,  4, 10,  0,  7,  6,  3,  9,  2,  8, 11},
        {13, 11,  7, 14, 12,  1,  3,  9,  5,  0, 15,  4,  8,  6,  2, 10},
        { 6, 15, 14,  9, 11,  3,  0,  8, 12,  2, 13,  7,  1,  4, 10,  5},
        {10,  2,  8,  4,  7,  6,  1,  5, 15, 11,  9, 14,  3, 12, 13,  0},
        { 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15},
        {14, 10,  4,  8,  9, 15, 13,  6,  1, 12,  0,  2, 11,  7,  5,  3},
    };
    #define ROTATE(x, n) (((x) >> (n)) | ((x) << (64 - (n))))
    #define MIX(a, b, c, d, x, y)      \\
        a += b + x; d = ROTATE(d ^ a, 32); \\
        c += d;     b = ROTATE(b ^ c, 24); \\
        a += b + y; d = ROTATE(d ^ a, 16); \\
        c += d;     b = ROTATE(b ^ c, 63);

    static void compress(uint64_t *h, const uint64_t *iv, const uint64_t *m, uint64_t length, uint64_t last) {
        uint64_t v[16];
        int i;
        for (i = 0; i < 8; i++) { v[i] = h[i]; v[i + 8] = iv[i]; }
        v[12] ^= length;
        v[14] ^= last;
        for (i = 0; i < 12; i++) {
            const unsigned char *s = SIGMA[i];
            MIX(v[0], v[4], v[8],  v[12], m[s[0]],  m[s[1]])
            MIX(v[1], v[5], v[9],  v[13], m[s[2]],  m[s[3]])
            MIX(v[2], v[6], v[10], v[14], m[s[4]],  m[s[5]])
            MIX(v[3], v[7], v[11], v[15], m[s[6]],  m[s[7]])
            MIX(v[0], v[5], v[10], v[15], m[s[8]],  m[s[9]])
            MIX(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]])
            MIX(v[2], v[7], v[8],  v[13], m[s[12]], m[s[13]])
            MIX(v[3], v[4], v[9],  v[14], m[s[14]], m[s[15]])
        }
        for (i = 0; i < 8; i++) h[i] ^= v[i] ^ v[i + 8];
    }
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    #error "digests are read little-endian, and so must the machine be"
    #endif
    """
    void compress(uint64_t *h, const uint64_t *iv, const uint64_t *m, uint64_t length, uint64_t last) noexcept nogil


cdef uint64_t blake2b(const uint8_t *data, Py_ssize_t size, int digest_size) noexcept nogil:
    """The digest of up to 8 bytes, read little-endian."""
    cdef uint64_t[8] h
    cdef uint64_t[16] block
    cdef Py_ssize_t done = 0, left = size
    memcpy(h, IV, sizeof(h))
    h[0] ^= 0x01010000ULL ^ <uint64_t>digest_size
    while left > BLOCK:
        memcpy(block, data + done, BLOCK)
        done += BLOCK
        left -= BLOCK
        compress(h, IV, block, <uint64_t>done, 0)
    memset(block, 0, BLOCK)
    memcpy(block, data + done, left)
    compress(h, IV, block, <uint64_t>size, 0xFFFFFFFFFFFFFFFFULL)
    return h[0] if digest_size >= 8 else h[0] & ((1ULL << (8 * digest_size)) - 1)


def id_hash(str transaction_id not None):
    """As `models.fingerprint.id_hash`."""
    cdef bytes encoded
    if PyUnicode_IS_ASCII(transaction_id):
        return blake2b(<const uint8_t *>PyUnicode_DATA(transaction_id), PyUnicode_GET_LENGTH(transaction_id), 8)
    encoded = transaction_id.encode()
    return blake2b(<const uint8_t *>PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded), 8)


# --- content ---


cdef class Contents:
    """See `models.plain_texts.Contents`. What is rare, as a text with escapes, goes its way."""

    cdef tuple _names
    cdef object _plainly

    def __init__(self, fields, encode):
        self._names, self._plainly = tuple(fields), PlainContents(fields, encode).fingerprint

    def fingerprint(self, record):
        """32 bits for what the record says."""
        cdef uint8_t[MOST_CONTENT] content
        cdef Py_ssize_t size = 1
        content[0] = b"["
        for name in self._names:
            size = _write(content, size, getattr(record, <str>name))
            if size < 0:
                return self._plainly(record)
            content[size] = b","
            size += 1
        content[size - 1] = b"]"
        while size and content[size - 1] in (93, 44, 110, 117, 108):  # "],nul"
            size -= 1
        return <uint32_t>blake2b(content, size, 4)


cdef Py_ssize_t _write(uint8_t *content, Py_ssize_t size, value) except -2:
    """Where the next may be written, as orjson writes it; -1 for what is not written here."""
    cdef Py_ssize_t length, i
    cdef const uint8_t *letters
    cdef long long number
    if size > MOST_CONTENT - 64:
        return -1
    if value is None:
        memcpy(content + size, b"null", 4)
        return size + 4
    if isinstance(value, str):
        if not PyUnicode_IS_ASCII(value):
            return -1
        length, letters = PyUnicode_GET_LENGTH(value), <const uint8_t *>PyUnicode_DATA(value)
        if size + length > MOST_CONTENT - 64:
            return -1
        content[size] = 34
        for i in range(length):
            if letters[i] < 32 or letters[i] == 34 or letters[i] == 92:
                return -1
            content[size + 1 + i] = letters[i]
        content[size + 1 + length] = 34
        return size + length + 2
    if type(value) is int:
        if not 0 <= value <= 1_000_000_000_000_000:
            return -1
        number = value
        return _digits(content, size, number)
    if PyDateTime_Check(value) and value.tzinfo is utc:
        return _moment(content, size, value)
    return -1


cdef Py_ssize_t _digits(uint8_t *content, Py_ssize_t size, long long number) noexcept nogil:
    cdef int places = 1
    cdef long long left = number
    while left >= 10:
        left //= 10
        places += 1
    _padded(content + size, number, places)
    return size + places


cdef inline void _padded(uint8_t *content, long long number, int places) noexcept nogil:
    cdef int i
    for i in range(places - 1, -1, -1):
        content[i] = <uint8_t>(48 + number % 10)
        number //= 10


cdef Py_ssize_t _moment(uint8_t *content, Py_ssize_t size, value) noexcept:
    """RFC 3339 in UTC, microseconds where there are some."""
    cdef uint8_t *to = content + size
    cdef int micros = PyDateTime_DATE_GET_MICROSECOND(value)
    memcpy(to, b'"0000-00-00T00:00:00', 20)
    _padded(to + 1, PyDateTime_GET_YEAR(value), 4)
    _padded(to + 6, PyDateTime_GET_MONTH(value), 2)
    _padded(to + 9, PyDateTime_GET_DAY(value), 2)
    _padded(to + 12, PyDateTime_DATE_GET_HOUR(value), 2)
    _padded(to + 15, PyDateTime_DATE_GET_MINUTE(value), 2)
    _padded(to + 18, PyDateTime_DATE_GET_SECOND(value), 2)
    to += 20
    if micros:
        to[0] = b"."
        _padded(to + 1, micros, 6)
        to += 7
    to[0], to[1] = b"Z", 34
    return to + 2 - content
