"""A compiled rule set says what the same in Python says, of whatever payment."""

import os
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.rule_inputs import judged
from support.rule_trees import Tree, trees, values, written

from rules import compiling
from rules.compiling import compile_conditions, write_conditions
from rules.expression import parse_condition

if compiling.Engine is None:
    if os.environ.get("CI") == "true":
        pytest.fail("rules/_engine.pyx was not compiled", pytrace=False)
    pytest.skip("nothing is compiled here: there was no compiler", allow_module_level=True)

IDLE = (0, 0)


def both(texts: list[str], **changes: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Which of the conditions hold and fail, compiled and in Python."""
    parsed = [parse_condition(text) for text in texts]
    inputs = judged(**changes)
    compiled, plain = (
        make(parsed, lambda hits, failed: (hits, failed), IDLE)(*inputs)
        for make in (compile_conditions, write_conditions)
    )
    return compiled, plain


@settings(max_examples=400)
@given(st.lists(trees, min_size=1, max_size=4), values)
@example([("compare", ">", ("/", ("literal", 1), ("literal", 0)), ("literal", 1))], {"amount": 1.0})
def test_it_says_what_python_says(conditions: list[Tree], given_values: dict[str, Any]) -> None:
    compiled, plain = both([written(each) for each in conditions], **given_values)
    assert compiled == plain


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("amount_minor * amount_minor * amount_minor == 1_000_000_000_000_000_000 - 1 + 1", True),
        ("amount_minor * amount_minor * amount_minor * 10 == amount_minor", False),
        ("amount_minor * 9_007_199_254_740_993 > amount_minor * 9_007_199_254_740_992", True),
        ("amount_minor * 1_000_000_000_000_000_000 in [1_000_000]", False),
    ],
)
def test_integers_beyond_doubles_are_reckoned_as_python_does(text: str, *, holds: bool) -> None:
    compiled, plain = both([text], amount_minor=1_000_000)
    assert compiled == plain == (int(holds), 0)


def test_what_python_is_asked_for_is_asked_once_and_only_then() -> None:
    asked: list[int] = []

    def plainly() -> Any:
        asked.append(1)
        return write_conditions([parse_condition("true")], lambda hits, failed: (hits, failed), IDLE)

    engine = compiling.Engine([parse_condition("amount_minor * amount_minor > 4")], lambda *said: said, IDLE, plainly)
    assert engine(*judged(amount_minor=3)) == (1, 0)
    assert not asked
    assert [engine(*judged(amount_minor=10**12)) for _ in range(2)] == [(1, 0)] * 2
    assert asked == [1]


def test_of_many_rules_each_has_its_own_bit() -> None:
    texts = [f"amount_minor > {bound}" for bound in range(900)]
    compiled, plain = both(texts, amount_minor=700)
    assert compiled == plain == ((1 << 700) - 1, 0)
