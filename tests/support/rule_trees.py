"""Random conditions as plain tuples, how they are written, and what they mean: a reference for the compiled ones."""

import math
import operator
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Tree = tuple[Any, ...]

NUMBERS = ("amount", "amount_minor", "card_count_1d", "amount_z", "hour_utc", "seconds_since_last")
TEXTS = ("currency", "cvv_result", "merchant_country", "card_country", "channel")
OPTIONAL = ("seconds_since_last", "cvv_result", "merchant_country", "card_country", "channel")
WORDS = ("EUR", "M", "N", "DE", "ecommerce", "")

_OPERATORS = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}  # fmt: skip
_LEVELS = {"or": 1, "and": 2, "not": 3, "compare": 4, "in": 4, "is": 4, "+": 5, "-": 5, "*": 6, "/": 6, "negative": 7}
_ATOM = 9

_amounts = st.one_of(st.integers(0, 20), st.floats(0, 1e6, allow_nan=False).map(lambda number: round(number, 3)))
_literals = st.one_of(_amounts, st.just(10**18)).map(lambda number: ("literal", number))
_number_names = st.sampled_from(NUMBERS).map(lambda name: ("name", name))
_texts = st.one_of(
    st.sampled_from(WORDS).map(lambda word: ("literal", word)), st.sampled_from(TEXTS).map(lambda name: ("name", name))
)
_numbers = st.recursive(
    _literals | _number_names,
    lambda inner: st.one_of(st.tuples(st.sampled_from("+-*/"), inner, inner), st.tuples(st.just("negative"), inner)),
    max_leaves=6,
)
_conditions = st.one_of(
    st.tuples(st.just("compare"), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), _numbers, _numbers),
    st.tuples(st.just("compare"), st.sampled_from(["==", "!="]), _texts, _texts),
    st.tuples(st.just("in"), st.sampled_from(["in", "not in"]), _texts, st.lists(st.sampled_from(WORDS))),
    st.tuples(st.just("in"), st.sampled_from(["in", "not in"]), _numbers, st.lists(_amounts)),
    st.tuples(st.just("is"), st.sampled_from(["missing", "present"]), st.sampled_from(OPTIONAL)),
    st.booleans().map(lambda flag: ("literal", flag)),
)
trees = st.recursive(
    _conditions,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("compare"), st.sampled_from(["==", "!="]), inner, inner),
    ),
    max_leaves=8,
)
values = st.fixed_dictionaries(
    {
        "amount": st.sampled_from([0.0, 1.0, 42.1, 1e308]),
        "amount_minor": st.sampled_from([1, 100, 10**12]),
        "card_count_1d": st.integers(0, 20).map(float),
        "amount_z": st.floats(-100, 100),
        "hour_utc": st.integers(0, 23),
        "seconds_since_last": st.none() | st.sampled_from([0.0, 30.0]),
        "currency": st.sampled_from(["EUR", "USD"]),
        "cvv_result": st.sampled_from([None, "M", "N"]),
        "merchant_country": st.sampled_from([None, "DE", "FR"]),
        "card_country": st.sampled_from([None, "DE", "FR"]),
        "channel": st.sampled_from([None, "ecommerce", "moto"]),
    }
)


def written(tree: Tree, floor: int = 0) -> str:
    """The tree in the rule language, with no more parentheses than its precedence asks for."""
    text = _written(tree)
    return f"({text})" if _LEVELS.get(tree[0], _ATOM) < floor else text


def _written(tree: Tree) -> str:  # noqa: C901 - one case per node
    match tree:
        case "literal", bool() as flag:
            return str(flag).lower()
        case "literal", str() as word:
            return f"'{word}'"
        case "literal", number:
            return _number(number)
        case "name", name:
            return str(name)
        case "negative", inner:
            return f"-{written(inner, 7)}"
        case "not", inner:
            return f"not {written(inner, 3)}"
        case "compare", symbol, left, right:
            return f"{written(left, 5)} {symbol} {written(right, 5)}"
        case "in", word, item, listed:
            elements = ", ".join(f"'{each}'" if isinstance(each, str) else _number(each) for each in listed)
            return f"{written(item, 5)} {word} [{elements}]"
        case "is", word, name:
            return f"{name} is {word}"
        case symbol, left, right:
            level = _LEVELS[symbol]
            return f"{written(left, level)} {symbol} {written(right, level + 1)}"
    raise AssertionError(tree)


def _number(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.3f}"


def meaning(tree: Tree, given: Mapping[str, Any]) -> Any:  # noqa: C901 - one case per node
    """What the tree comes to, read off docs/rules.md; ArithmeticError where its numbers do not work out."""
    match tree:
        case "literal", value:
            return value
        case "name", name:
            return given[name]
        case "negative", inner:
            return -meaning(inner, given)
        case "not", inner:
            return not meaning(inner, given)
        case "and", left, right:
            return meaning(left, given) and meaning(right, given)
        case "or", left, right:
            return meaning(left, given) or meaning(right, given)
        case "is", word, name:
            return (given[name] is None) == (word == "missing")
        case "compare", symbol, left, right:
            if _missing(left, given) or _missing(right, given):
                return False
            return _OPERATORS[symbol](_checked(left, given), _checked(right, given))
        case "in", word, item, listed:
            if _missing(item, given):
                return False
            return (_checked(item, given) in listed) == (word == "in")
        case symbol, left, right:
            return _OPERATORS[symbol](meaning(left, given), meaning(right, given))
    raise AssertionError(tree)


def _checked(tree: Tree, given: Mapping[str, Any]) -> Any:
    value = meaning(tree, given)
    if isinstance(value, float) and not math.isfinite(value):
        raise ArithmeticError
    if isinstance(value, int):
        float(value)  # an integer beyond every float counts as overflow too
    return value


def _missing(tree: Tree, given: Mapping[str, Any]) -> bool:
    """Whether a name on this side of a comparison is missing; a condition inside answers for itself."""
    match tree:
        case "name", name:
            return given[name] is None
        case (("+" | "-" | "*" | "/"), left, right):
            return _missing(left, given) or _missing(right, given)
        case "negative", inner:
            return _missing(inner, given)
    return False
