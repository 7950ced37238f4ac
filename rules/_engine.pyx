# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Conditions on the hot path, compiled: all of a rule set, walked as trees of numbers and texts.

The same as the functions that `rules.compiling` writes in Python, which stay for where nothing was compiled and as what
this is held against (`tests/unit/test_compiled_rules.py`). Numbers are doubles here. Where Python would reckon with
integers beyond 2**53, which doubles do not hold, the function in Python is asked.
"""

from libc.math cimport isfinite
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact

from models.activity import Activity
from models.features import FEATURES
from rules.syntax import (
    Arithmetic,
    Comparison,
    Literal,
    Logic,
    Membership,
    Name,
    Negative,
    Not,
    Presence,
    walk,
)
from rules.vocabulary import Kind, Origin

cdef enum:
    NO = 0
    YES = 1
    FAILED = 2  # the numbers do not work out
    PLAINLY = 3  # not to be said here

cdef enum:
    LESS, AT_MOST, MORE, AT_LEAST, SAME, OTHER
    PLUS, MINUS, TIMES, OVER

cdef double EXACT = 9007199254740992.0  # 2**53: every integer up to it is a double

cdef dict COMPARING = {"<": LESS, "<=": AT_MOST, ">": MORE, ">=": AT_LEAST, "==": SAME, "!=": OTHER}
cdef dict RECKONING = {"+": PLUS, "-": MINUS, "*": TIMES, "/": OVER}


cdef class Given:
    """The values of one transaction that conditions look at."""

    cdef double[256] numbers
    cdef bint[256] missing  # of numbers
    cdef list texts
    cdef int trouble  # NO, FAILED or PLAINLY


# --- numbers ---


cdef class Number:
    """Something that has a number. What goes wrong is noted in what is given."""

    cdef bint whole  # an integer, as Python has it

    cdef double value(self, Given given) noexcept:
        return 0.0


cdef class Fixed(Number):
    cdef double _value
    cdef bint _beyond

    def __cinit__(self, value):
        self.whole = type(value) is int
        self._value = value
        self._beyond = self.whole and not -EXACT <= value <= EXACT

    cdef double value(self, Given given) noexcept:
        if self._beyond:
            given.trouble = PLAINLY
        return self._value


cdef class Taken(Number):
    cdef int _place

    def __cinit__(self, int place, bint whole):
        self._place, self.whole = place, whole

    cdef double value(self, Given given) noexcept:
        return given.numbers[self._place]


cdef class Turned(Number):
    cdef Number _operand

    def __cinit__(self, Number operand):
        self._operand, self.whole = operand, operand.whole

    cdef double value(self, Given given) noexcept:
        return -self._operand.value(given)


cdef class Reckoned(Number):
    cdef int _operator
    cdef Number _left
    cdef Number _right

    def __cinit__(self, int operator, Number left, Number right):
        self._operator, self._left, self._right = operator, left, right
        self.whole = left.whole and right.whole and operator != OVER

    cdef double value(self, Given given) noexcept:
        cdef double left = self._left.value(given), right, made
        if given.trouble:
            return 0.0
        right = self._right.value(given)
        if given.trouble:
            return 0.0
        if self._operator == OVER:
            if right == 0.0:
                given.trouble = FAILED
                return 0.0
            return left / right
        if self._operator == PLUS:
            made = left + right
        elif self._operator == MINUS:
            made = left - right
        else:
            made = left * right
        if self.whole and not -EXACT <= made <= EXACT:
            given.trouble = PLAINLY
        return made


# --- conditions ---


cdef class Condition:
    cdef int holds(self, Given given) except -1:
        return NO


cdef class Always(Condition):
    cdef int _said

    def __cinit__(self, bint said):
        self._said = YES if said else NO

    cdef int holds(self, Given given) except -1:
        return self._said


cdef inline int _compared(int operator, double left, double right) noexcept:
    if operator == LESS:
        return left < right
    if operator == AT_MOST:
        return left <= right
    if operator == MORE:
        return left > right
    if operator == AT_LEAST:
        return left >= right
    if operator == SAME:
        return left == right
    return left != right


cdef class OfNumbers(Condition):
    """A comparison; false where a number in it is missing."""

    cdef int _operator
    cdef Number _left
    cdef Number _right
    cdef bint _left_reckons
    cdef bint _right_reckons
    cdef list _optional

    def __cinit__(self, int operator, Number left, Number right, list optional):
        self._operator, self._left, self._right, self._optional = operator, left, right, optional
        self._left_reckons, self._right_reckons = isinstance(left, (Reckoned, Turned)), isinstance(right, (Reckoned, Turned))

    cdef int holds(self, Given given) except -1:
        cdef double left, right
        for place in self._optional:
            if given.missing[<int>place]:
                return NO
        left = self._left.value(given)
        if self._left_reckons and not given.trouble and not isfinite(left):
            given.trouble = FAILED
        if given.trouble:
            return given.trouble
        right = self._right.value(given)
        if self._right_reckons and not given.trouble and not isfinite(right):
            given.trouble = FAILED
        if given.trouble:
            return given.trouble
        return _compared(self._operator, left, right)


cdef class OfTexts(Condition):
    """Whether two texts are the same, or another; false where one is missing. A place below 0 is the fixed text."""

    cdef bint _same
    cdef int _left
    cdef int _right
    cdef object _fixed_left
    cdef object _fixed_right

    def __cinit__(self, bint same, int left, int right, fixed_left, fixed_right):
        self._same, self._left, self._right = same, left, right
        self._fixed_left, self._fixed_right = fixed_left, fixed_right

    cdef int holds(self, Given given) except -1:
        left = self._fixed_left if self._left < 0 else given.texts[self._left]
        right = self._fixed_right if self._right < 0 else given.texts[self._right]
        if left is None or right is None:
            return NO
        return (<str>left == <str>right) == self._same


cdef class OfConditions(Condition):
    """Whether two conditions say the same, or not."""

    cdef bint _same
    cdef Condition _left
    cdef Condition _right

    def __cinit__(self, bint same, Condition left, Condition right):
        self._same, self._left, self._right = same, left, right

    cdef int holds(self, Given given) except -1:
        cdef int left = self._left.holds(given), right
        if left > YES:
            return left
        right = self._right.holds(given)
        return right if right > YES else (left == right) == self._same


cdef class Listed(Condition):
    """Whether a text is in a list, or is not; false where it is missing."""

    cdef bint _wanted
    cdef int _place
    cdef object _fixed
    cdef frozenset _values

    def __cinit__(self, bint wanted, int place, fixed, frozenset values):
        self._wanted, self._place, self._fixed, self._values = wanted, place, fixed, values

    cdef int holds(self, Given given) except -1:
        text = self._fixed if self._place < 0 else given.texts[self._place]
        if text is None:
            return NO
        return (text in self._values) == self._wanted


cdef class Counted(Condition):
    """Likewise for numbers."""

    cdef bint _wanted
    cdef Number _item
    cdef bint _reckons
    cdef frozenset _values
    cdef list _optional

    def __cinit__(self, bint wanted, Number item, frozenset values, list optional):
        self._wanted, self._item, self._values, self._optional = wanted, item, values, optional
        self._reckons = isinstance(item, (Reckoned, Turned))

    cdef int holds(self, Given given) except -1:
        cdef double item
        for place in self._optional:
            if given.missing[<int>place]:
                return NO
        item = self._item.value(given)
        if self._reckons and not given.trouble and not isfinite(item):
            given.trouble = FAILED
        if given.trouble:
            return given.trouble
        return (item in self._values) == self._wanted


cdef class Told(Condition):
    """Whether a value that may be missing is."""

    cdef bint _missing
    cdef bint _text
    cdef int _place

    def __cinit__(self, bint missing, bint text, int place):
        self._missing, self._text, self._place = missing, text, place

    cdef int holds(self, Given given) except -1:
        cdef bint missing = given.texts[self._place] is None if self._text else given.missing[self._place]
        return missing == self._missing


cdef class Contrary(Condition):
    cdef Condition _operand

    def __cinit__(self, Condition operand):
        self._operand = operand

    cdef int holds(self, Given given) except -1:
        cdef int said = self._operand.holds(given)
        return said if said > YES else not said


cdef class Joined(Condition):
    """Conditions joined by one `and` or `or`, left to right, as far as needed."""

    cdef int _settles  # what settles it
    cdef tuple _operands

    def __cinit__(self, bint any_of, tuple operands):
        self._settles, self._operands = YES if any_of else NO, operands

    cdef int holds(self, Given given) except -1:
        cdef int said
        for operand in self._operands:
            said = (<Condition>operand).holds(given)
            if said == self._settles or said > YES:
                return said
        return NO if self._settles == YES else YES


# --- rule sets ---


cdef class Engine:
    """A judge, see `rules.compiling.compile_conditions`. `plainly` is asked for the function in Python, if need be."""

    cdef list _conditions
    cdef list _features  # places in the row
    cdef list _recent  # places in the activity
    cdef list _amounts  # names of the transaction's numbers
    cdef list _texts  # names of its texts
    cdef object _resolve
    cdef object _idle
    cdef object _plainly
    cdef object _plain
    cdef Given _given

    def __init__(self, trees, resolve, idle, plainly):
        terms = {node.term.name: node.term for tree in trees for node in walk(tree) if isinstance(node, Name)}
        numbers = [term for term in terms.values() if term.kind is Kind.NUMBER]
        self._features = [FEATURES.index(each.name) for each in numbers if each.origin is Origin.FEATURES]
        self._recent = [Activity._fields.index(each.name) for each in numbers if each.origin is Origin.ACTIVITY]
        self._amounts = [each.name for each in numbers if each.origin is Origin.TRANSACTION]
        self._texts = [each.name for each in terms.values() if each.kind is Kind.TEXT]
        in_order = [
            *(FEATURES[each] for each in self._features),
            *(Activity._fields[each] for each in self._recent),
            *self._amounts,
        ]
        places = {name: place for place, name in enumerate(in_order)} | {n: p for p, n in enumerate(self._texts)}
        if len(in_order) > 256:
            raise ValueError("more numbers than there are in a vocabulary")
        self._conditions = [_condition(tree, places) for tree in trees]
        self._resolve, self._idle, self._plainly, self._plain = resolve, idle, plainly, None
        self._given = Given.__new__(Given)

    def __call__(self, transaction, features, activity):
        cdef Given given = self._given
        cdef Condition condition
        cdef int said
        cdef bint hit = False
        if not self._take(transaction, features, activity):
            return self._in_python(transaction, features, activity)
        hits = failed = 0
        for index, each in enumerate(self._conditions):
            given.trouble = NO
            said = (<Condition>each).holds(given)
            if said == NO:
                continue
            if said == PLAINLY:
                return self._in_python(transaction, features, activity)
            hit = True
            if said == YES:
                hits |= 1 << index
            else:
                failed |= 1 << index
        return self._resolve(hits, failed) if hit else self._idle

    cdef _in_python(self, transaction, features, activity):
        if self._plain is None:
            self._plain = self._plainly()
        return self._plain(transaction, features, activity)

    cdef bint _take(self, transaction, features, activity) except -1:
        """Whether all numbers fit."""
        cdef Given given = self._given
        cdef int place = 0
        for index in self._features:
            if not _put(given, place, features[index]):
                return False
            place += 1
        for index in self._recent:
            if not _put(given, place, activity[index]):
                return False
            place += 1
        for name in self._amounts:
            if not _put(given, place, getattr(transaction, <str>name)):
                return False
            place += 1
        given.texts = [getattr(transaction, <str>name) for name in self._texts]
        return True


cdef bint _put(Given given, int place, value) except -1:
    given.missing[place] = value is None
    if value is None:
        return True
    if PyFloat_CheckExact(value):
        given.numbers[place] = PyFloat_AS_DOUBLE(value)
        return True
    given.numbers[place] = value
    return -EXACT <= given.numbers[place] <= EXACT


cdef Condition _condition(tree, dict places):
    if isinstance(tree, Literal):
        return Always(tree.value)
    if isinstance(tree, Not):
        return Contrary(_condition(tree.operand, places))
    if isinstance(tree, Logic):
        return Joined(tree.operator == "or", tuple([_condition(each, places) for each in tree.operands]))
    if isinstance(tree, Presence):
        term = tree.name.term
        return Told(tree.missing, term.kind is Kind.TEXT, places[term.name])
    if isinstance(tree, Membership):
        if tree.item.kind is Kind.NUMBER:
            optional = _optional(places, (tree.item,))
            return Counted(tree.operator == "in", _number(tree.item, places), frozenset(tree.values), optional)
        return Listed(tree.operator == "in", *_text(tree.item, places), frozenset(tree.values))
    if isinstance(tree, Comparison):
        return _comparison(tree, places)
    raise TypeError(type(tree).__name__)


cdef Condition _comparison(tree, dict places):
    same = tree.operator == "=="
    if tree.left.kind is Kind.FLAG:
        return OfConditions(same, _condition(tree.left, places), _condition(tree.right, places))
    if tree.left.kind is Kind.NUMBER:
        left, right = _number(tree.left, places), _number(tree.right, places)
        return OfNumbers(COMPARING[tree.operator], left, right, _optional(places, (tree.left, tree.right)))
    (left, fixed_left), (right, fixed_right) = _text(tree.left, places), _text(tree.right, places)
    return OfTexts(same, left, right, fixed_left, fixed_right)


cdef Number _number(tree, dict places):
    if isinstance(tree, Literal):
        return Fixed(tree.value)
    if isinstance(tree, Name):
        return Taken(places[tree.term.name], tree.term.origin is not Origin.FEATURES)
    if isinstance(tree, Negative):
        return Turned(_number(tree.operand, places))
    return Reckoned(RECKONING[tree.operator], _number(tree.left, places), _number(tree.right, places))


cdef tuple _text(tree, dict places):
    if isinstance(tree, Literal):
        return -1, tree.value
    return places[tree.term.name], None


cdef list _optional(dict places, tuple operands):
    """Places of the numbers that may be missing."""
    names = [node.term for operand in operands for node in walk(operand) if isinstance(node, Name)]
    return list({places[term.name]: None for term in names if term.may_be_missing})
