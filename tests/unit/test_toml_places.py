"""Places in a TOML text: a fault must be shown where its author can see it."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.toml_places import TomlPlaces

TEXT = """\
# a comment with [brackets] and "quotes"
name = "x"
[lists] # after a header
short = ["a", 'b', # inside
  "c#d"]
[[rule]]
id = "one"
"if" = "amount > 1"
inline = { a = 1, "b" = "two" }
when.then = 2020-01-01 10:00:00
[[rule]]
id = 'two'
[rule.more]
deep = true
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("name",), (2, 8)),
        (("lists", "short"), (4, 9)),
        (("lists", "short", 1), (4, 15)),
        (("lists", "short", 2), (5, 3)),
        (("rule", 0, "if"), (8, 8)),
        (("rule", 0, "inline", "b"), (9, 25)),
        (("rule", 0, "when", "then"), (10, 13)),
        (("rule", 1, "id"), (12, 6)),
        (("rule", 1, "more", "deep"), (14, 8)),
    ],
)
def test_a_value_is_found_where_it_begins(path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    assert TomlPlaces(TEXT).value(path) == place


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("lists",), (3, 1)),
        (("rule", 0), (6, 1)),
        (("rule", 0, "if"), (8, 1)),
        (("rule", 1), (11, 1)),
        (("rule", 1, "more"), (13, 1)),
        (("rule", 1, "absent"), (11, 1)),
        (("absent",), (1, 1)),
    ],
)
def test_a_key_is_found_or_else_the_table_around_it(path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    assert TomlPlaces(TEXT).key(path) == place


@pytest.mark.parametrize(
    ("text", "inside", "place"),
    [
        ("x = 'ab'", (1, 2), (1, 7)),
        ('x = "ab"', (1, 3), (1, 8)),
        ('x = "a\\tb\\u0041c"', (1, 5), (1, 16)),
        ('x = "a\\nb"', (2, 1), (1, 9)),
        ("x = '''\na\nbc'''", (2, 2), (3, 2)),
        ('x = """\na \\\n   b"""', (1, 3), (3, 4)),
        ('x = """a""b"""', (1, 4), (1, 11)),
        ('y = """a"""""\nx = "ab"', (1, 2), (2, 7)),
        ("y = 1\r\nx = '''\r\na\r\nb'''", (2, 1), (4, 1)),
    ],
)
def test_a_place_inside_a_string_is_found_as_it_is_written(
    text: str, inside: tuple[int, int], place: tuple[int, int]
) -> None:
    value = tomllib.loads(text)["x"]
    assert TomlPlaces(text).within(("x",), value, *inside) == place


@given(st.text(st.characters(exclude_characters="'\r", exclude_categories=["Cc", "Cs"])))
def test_every_character_of_a_literal_string_is_found(value: str) -> None:
    places = TomlPlaces(f"x = '{value}'")
    assert [places.within(("x",), value, 1, column + 1) for column in range(len(value) + 1)] == [
        (1, 6 + column) for column in range(len(value) + 1)
    ]
