"""docs/rules.md says what is so: vocabulary, keys, limits, and examples that are accepted."""

import re
from pathlib import Path
from types import NoneType
from typing import get_args, get_type_hints

import pytest
from msgspec.structs import fields

from models.activity import Activity
from models.features import FEATURES
from models.transaction import Transaction
from rules.expression import KEYWORDS, MAX_DEPTH, parse_condition
from rules.lexing import MAX_LENGTH
from rules.ruleset import parse_ruleset
from rules.ruleset_reading import DEFAULT_PRIORITY, MAX_CHARACTERS, MAX_RULES, RULE_KEYS, SET_KEYS
from rules.vocabulary import VOCABULARY, Origin, Term

DOCUMENT = (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8")
EXAMPLES = re.findall(r'^if = "(.+?)" ', DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize("term", VOCABULARY.values(), ids=VOCABULARY)
def test_each_name_of_the_vocabulary_has_its_row(term: Term) -> None:
    missing = "yes" if term.may_be_missing else "no"
    assert f"| `{term.name}` | {term.kind} | {missing} | {term.meaning} |\n" in DOCUMENT


def test_the_document_has_no_row_for_a_name_that_is_not_there() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (?:number|text|flag) \|", DOCUMENT, re.MULTILINE)
    assert sorted(rows) == sorted(VOCABULARY)


@pytest.mark.parametrize("key", sorted(RULE_KEYS | SET_KEYS))
def test_each_key_has_its_row(key: str) -> None:
    assert f"\n| `{key}` | " in DOCUMENT


@pytest.mark.parametrize("word", sorted(KEYWORDS))
def test_each_keyword_is_shown(word: str) -> None:
    assert re.search(rf"`[^`\n]*\b{word}\b[^`\n]*`", DOCUMENT)


@pytest.mark.parametrize("limit", [MAX_DEPTH, MAX_LENGTH, MAX_RULES, MAX_CHARACTERS, DEFAULT_PRIORITY])
def test_each_limit_is_stated(limit: int) -> None:
    assert re.search(rf"\b{limit:,}\b", DOCUMENT)


def test_the_rule_set_in_the_document_is_accepted() -> None:
    (example,) = re.findall(r"```toml\n(name = .+?)```", DOCUMENT, re.DOTALL)
    assert [rule.rule_id for rule in parse_ruleset(example).rules] == ["denied-card", "spend-beyond-habit"]


@pytest.mark.parametrize("condition", EXAMPLES)
def test_each_example_condition_is_accepted(condition: str) -> None:
    assert parse_condition(condition)


def test_there_are_example_conditions() -> None:
    assert len(EXAMPLES) == 5


def test_features_stand_in_the_vocabulary_in_the_order_of_the_model() -> None:
    assert tuple(name for name, term in VOCABULARY.items() if term.origin is Origin.FEATURES) == FEATURES


def test_the_vocabulary_agrees_with_the_records_on_what_may_be_missing() -> None:
    types = {each.name: each.type for each in fields(Transaction)} | get_type_hints(Activity)
    optional = {name for name, each in types.items() if NoneType in get_args(each)}
    assert {name for name, term in VOCABULARY.items() if term.may_be_missing} == optional & VOCABULARY.keys()


def test_what_rules_may_ask_of_a_cards_activity_is_there() -> None:
    assert set(Activity._fields) >= {name for name, term in VOCABULARY.items() if term.origin is Origin.ACTIVITY}
