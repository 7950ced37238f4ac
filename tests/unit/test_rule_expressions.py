"""The rule language: what is accepted, what it means, and where its errors point."""

import re
from contextlib import suppress
from types import FunctionType
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.rule_inputs import judged
from support.rule_trees import Tree, meaning, trees, values, written

from rules.compiling import compile_condition
from rules.expression import KEYWORDS, MAX_DEPTH, ExpressionError, NamedList, parse_condition
from rules.lexing import MAX_LENGTH
from rules.vocabulary import VOCABULARY, Kind

LISTS = {
    "denied": NamedList(kind=Kind.TEXT, values=frozenset({"tok_1"})),
    "counts": NamedList(kind=Kind.NUMBER, values=frozenset({1, 2})),
    "nobody": NamedList(kind=None, values=frozenset()),
}


def holds(text: str, **changes: Any) -> bool:
    return compile_condition(parse_condition(text, LISTS))(*judged(**changes))


def fault(text: str) -> tuple[int, int, str]:
    with pytest.raises(ExpressionError) as caught:
        parse_condition(text, LISTS)
    return caught.value.line, caught.value.column, caught.value.message


@given(trees, values)
@example(("compare", "==", ("compare", "==", ("name", "cvv_result"), ("literal", "N")), ("literal", False)), {})
def test_a_compiled_condition_means_what_the_reference_says(tree: Tree, given_values: dict[str, Any]) -> None:
    known = {"cvv_result": None, **given_values}
    condition = compile_condition(parse_condition(written(tree)))
    try:
        expected = meaning(tree, known)
    except ArithmeticError:
        with pytest.raises(ArithmeticError):
            condition(*judged(**known))
        return
    assert condition(*judged(**known)) is expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("amount_minor < 100", 99),
        ("amount_minor <= 100", 100),
        ("amount_minor > 100", 101),
        ("amount_minor >= 100", 100),
        ("amount_minor == 100", 100),
        ("amount_minor != 100", 101),
    ],
)
def test_each_comparison_holds_just_inside_its_bound(text: str, value: int) -> None:
    assert holds(text, amount_minor=value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("amount_minor < 100", 100),
        ("amount_minor <= 100", 101),
        ("amount_minor > 100", 100),
        ("amount_minor >= 100", 99),
        ("amount_minor == 100", 101),
        ("amount_minor != 100", 100),
    ],
)
def test_no_comparison_holds_just_outside_its_bound(text: str, value: int) -> None:
    assert not holds(text, amount_minor=value)


@pytest.mark.parametrize(
    "text",
    [
        "cvv_result == 'N'",
        "cvv_result != 'N'",
        "cvv_result in ['N']",
        "cvv_result not in ['N']",
        "cvv_result not in nobody",
        "merchant_country == card_country",
        "merchant_country != card_country",
        "seconds_since_last < 10",
        "seconds_since_last >= 10",
        "seconds_since_last / 0 < 10",
        "1 - -seconds_since_last in [1]",
    ],
)
def test_a_comparison_with_a_missing_value_is_false(text: str) -> None:
    missing = {"cvv_result": None, "merchant_country": None, "card_country": None, "seconds_since_last": None}
    assert not holds(text, **missing)


def test_not_turns_a_comparison_with_a_missing_value_true() -> None:
    assert holds("not cvv_result == 'M'", cvv_result=None)


def test_a_condition_inside_a_comparison_answers_for_its_own_missing_values() -> None:
    assert holds("(cvv_result == 'N') == false", cvv_result=None)


def test_missing_and_present_tell_whether_a_value_is_there() -> None:
    assert holds("ip is missing and device_id is present", ip=None)
    assert not holds("ip is present or device_id is missing", ip=None)


def test_a_channel_is_found_in_a_list_of_texts() -> None:
    assert holds("channel in ['moto', 'ecommerce']")


def test_names_lists_and_both_quotes_are_understood() -> None:
    assert holds('pan_token in denied and not pan_token in nobody and card_count_1d in counts and currency == "EUR"')


def test_a_list_may_hold_negative_numbers() -> None:
    assert holds("amount_z in [-1, 2.5]", amount_z=-1.0)
    assert not holds("amount_z in [-1]", amount_z=1.0)


def test_and_binds_tighter_than_or_and_not_tighter_than_and() -> None:
    assert holds("true or true and false")
    assert not holds("(true or true) and false")
    assert not holds("true and false or false")
    assert holds("not false and true")
    assert not holds("not (false or true)")


def test_arithmetic_keeps_its_usual_order() -> None:
    assert holds("10 - 4 - 3 == 3 and 2 + 3 * 4 == 14 and -2 + 5 == 3 and 8 / 4 / 2 == 1")


def test_parentheses_group_arithmetic() -> None:
    assert holds("10 - (4 - 3) == 9 and (2 + 3) * 4 == 20 and -(2 + 3) == -5 and 8 / (4 / 2) == 4")


def test_the_right_side_is_not_evaluated_once_the_left_has_settled_it() -> None:
    assert not holds("card_count_10m > 0 and amount / card_count_10m > 5", card_count_10m=0)


@pytest.mark.parametrize(
    "text", ["amount / 0 > 1", "amount * 1_000_000_000_000_000_000 > 1", "amount - amount * 1.0 / card_count_10m == 1"]
)
def test_numbers_that_do_not_work_out_raise(text: str) -> None:
    with pytest.raises(ArithmeticError):
        holds(text, amount=1e300)


def test_a_whole_number_beyond_every_float_does_not_work_out() -> None:
    with pytest.raises(ArithmeticError):
        holds("*".join(["amount_minor"] * 30) + " > 1", amount_minor=10**12)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", (1, 1), "expected a value, found the end"),
        ("amount >", (1, 9), "expected a value, found the end"),
        ("amount > 5 amount", (1, 12), "expected an operator or the end, found 'amount'"),
        ("amout > 5", (1, 1), "unknown name 'amout': did you mean 'amount'?"),
        ("amount > 5 and\n  curency == 'EUR'", (2, 3), "unknown name 'curency': did you mean 'currency'?"),
        ("amount > 5 AND true", (1, 12), "expected an operator or the end, found 'AND'"),
        ("currency > 'A'", (1, 10), "'>' needs numbers, not text"),
        ("currency == 5", (1, 10), "cannot compare text with number"),
        ("currency + 1 > 2", (1, 10), "'+' needs numbers, not text"),
        ("2 * 'a' > 2", (1, 3), "'*' needs numbers, not text"),
        ("-currency == 'x'", (1, 1), "'-' needs numbers, not text"),
        ("true < false", (1, 6), "'<' needs numbers, not flag"),
        ("amount", (1, 1), "a rule needs a condition, this is a number: write 'amount == 1'"),
        ("is_night and true", (1, 1), "'and' joins conditions, this is a number: write 'is_night == 1'"),
        ("true or currency", (1, 9), "'or' joins conditions, this is a text"),
        ("not amount", (1, 5), "'not' needs a condition, this is a number: write 'amount == 1'"),
        ("1 < amount < 5", (1, 12), "comparisons do not chain: join two of them with 'and'"),
        ("amount is missing", (1, 1), "'amount' is never missing"),
        ("ip is absent", (1, 7), "expected 'missing' or 'present' after 'is', found 'absent'"),
        ("'x' is missing", (1, 1), "only a name can be missing or present"),
        ("denied == 'x'", (1, 1), "'denied' is a list: it can only follow 'in'"),
        ("pan_token in deneid", (1, 14), "unknown list 'deneid': did you mean 'denied'?"),
        ("pan_token in currency", (1, 14), "'currency' is not a list"),
        ("pan_token in 'x'", (1, 14), "expected a list, found ''x''"),
        ("pan_token in counts", (1, 14), "cannot look for text in a list of number"),
        ("amount in [1, 'a']", (1, 15), "a list of number cannot hold text"),
        ("amount in [1 2]", (1, 14), "expected ',', found '2'"),
        ("amount in [1,", (1, 14), "expected a number or a text, found the end"),
        ("amount in [--1]", (1, 13), "expected a number or a text, found '-'"),
        ("true in [1]", (1, 1), "'in' needs a number or a text before it, not a flag"),
        ("amount not 5", (1, 12), "expected 'in', found '5'"),
        ("(amount > 5", (1, 12), "expected ')', found the end"),
        ("amount > 5)", (1, 11), "expected an operator or the end, found ')'"),
        ("amount = 5", (1, 8), "write '==' to compare"),
        ("amount > 5 && true", (1, 12), "write 'and'"),
        ("currency == 'EUR", (1, 13), "this text is not closed on its line"),
        ("amount > 5e3", (1, 10), "not a number: digits, '_' between them, one decimal point"),
        ("amount > 1.2.3", (1, 10), "not a number: digits, '_' between them, one decimal point"),
        ("amount > 1000000000000000001", (1, 10), "a number is at most 10^18"),
        ("amount > \u0661", (1, 10), "unexpected character '\\u0661'"),
        ("amount > 5 ;", (1, 12), "unexpected character ';'"),
    ],
)
def test_an_error_says_what_and_where(text: str, place: tuple[int, int], message: str) -> None:
    assert fault(text) == (*place, message)


@pytest.mark.parametrize(
    "text",
    [
        "amount.real > 1",
        "currency.__class__ == 'x'",
        "().__class__ == 'x'",
        "__import__('os') == 'x'",
        "eval('1') == 1",
        "print > 1",
        "None == 'x'",
        "features[0] > 1",
        "currency[0] == 'E'",
        "lambda: true",
        "[x for x in denied] == 1",
        "amount > 5 if true else false",
        "amount ** 9 > 1",
        "amount // 2 > 1",
        "amount % 2 == 1",
        "(amount := 1) > 0",
        "f'{amount}' == 'x'",
        "judge > 1",
        "finite_ > 1",
        "transaction == 'x'",
    ],
)
def test_nothing_that_calls_indexes_or_reaches_attributes_is_in_the_language(text: str) -> None:
    fault(text)


SOUP = sorted({*VOCABULARY, *KEYWORDS, *LISTS, *"()[],+-*/<>'.=", "==", "!=", "<=", ">=", "1", "0.5", "'EUR'", "\n"})


@given(st.lists(st.sampled_from(SOUP), max_size=30).map(" ".join) | st.text() | st.text("('-n\"[ot \n", max_size=4_200))
def test_no_text_raises_anything_but_an_expression_error(text: str) -> None:
    with suppress(ExpressionError):
        compile_condition(parse_condition(text, LISTS))


@given(trees)
def test_compiled_code_knows_only_its_arguments_and_no_builtins(tree: Tree) -> None:
    condition = cast("FunctionType", compile_condition(parse_condition(written(tree))))
    allowed = {*VOCABULARY, "finite_"}
    assert condition.__globals__["__builtins__"] == {}
    assert all(name in allowed or re.fullmatch(r"list_\d+_", name) for name in condition.__code__.co_names)


@pytest.mark.parametrize("text", ["amount > 1 ", "'", "("])
def test_an_expression_beyond_the_length_limit_is_refused(text: str) -> None:
    long = text * (10_000 // len(text))
    assert fault(long)[2] == f"{len(long)} characters; an expression has at most {MAX_LENGTH}"


def test_an_expression_of_exactly_the_greatest_length_is_taken() -> None:
    assert holds("true".ljust(MAX_LENGTH))
    assert fault("true".ljust(MAX_LENGTH + 1))[:2] == (1, 1)


@pytest.mark.parametrize(("before", "inner", "after"), [("(", "true", ")"), ("not ", "true", ""), ("-", "1", " == 1")])
def test_nesting_is_refused_one_deeper_than_the_limit(before: str, inner: str, after: str) -> None:
    closing = after if after != ")" else ")" * MAX_DEPTH
    depth = MAX_DEPTH - (after == " == 1")  # the comparison itself is one level
    assert isinstance(holds(before * depth + inner + closing), bool)
    deeper = before * (depth + 1) + inner + closing
    assert fault(deeper)[2] == f"nested more than {MAX_DEPTH} deep"


@pytest.mark.parametrize("before", ["(", "not ", "-"])
def test_thousands_of_openings_are_an_error_and_no_recursion(before: str) -> None:
    line, column, message = fault(before * (MAX_LENGTH // len(before)))
    assert (line, column, message) == (1, MAX_DEPTH * len(before) + 1, f"nested more than {MAX_DEPTH} deep")


def test_parentheses_side_by_side_are_not_nested() -> None:
    assert holds(" and ".join(["(1 < 2)"] * (MAX_DEPTH + 1)))


def test_a_chain_of_sums_is_refused_at_the_depth_limit() -> None:
    assert not holds("+".join(["1"] * MAX_DEPTH) + " == 0")
    assert fault("+".join(["1"] * (MAX_DEPTH + 1)) + " == 0")[2] == f"nested more than {MAX_DEPTH} deep"


def test_as_many_conditions_as_fit_may_be_joined() -> None:
    assert holds(" and ".join(["1<2"] * 500))
    assert holds(" or ".join(["1>2"] * 500 + ["true"]))
