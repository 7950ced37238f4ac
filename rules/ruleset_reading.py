"""Reads a rule set from TOML and finds everything that is wrong with it at once, each fault with its place."""

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from rules.decision import Outcome, ReasonCode
from rules.expression import KEYWORDS, ExpressionError, NamedList, did_you_mean, parse_condition
from rules.rule import Rule, When
from rules.syntax import Literal, Node
from rules.toml_places import Path, Place, TomlPlaces
from rules.vocabulary import VOCABULARY, Kind

MAX_CHARACTERS = 1_000_000  # about the largest record that a Kafka topic takes by default
MAX_RULES = 1_000
SET_KEYS = frozenset({"name", "version", "lists", "rule"})
RULE_KEYS = frozenset({"id", "description", "if", "outcome", "reason", "priority", "when", "on_error", "enabled"})
DEFAULT_PRIORITY = 100

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_LIST_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TOML_PLACE = re.compile(r"(?P<message>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.S)
# tomllib takes time by the square of a key's parts: 39 s for 40,000 of them.
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}""")
_TYPE_NAMES = {str: "text in quotes", int: "a whole number", bool: "true or false"}
_UNREADABLE = Literal(value=False, kind=Kind.FLAG)

Choice = TypeVar("Choice", bound=StrEnum)
Value = TypeVar("Value", str, int, bool)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One fault; line and column count characters from 1."""

    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.message}"


class RuleSetError(ValueError):
    """A rule set that cannot be used; `problems` holds all that is wrong, in the order of the text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a rule set's text says, checked."""

    name: str
    version: str
    lists: Mapping[str, NamedList]
    rules: tuple[Rule, ...]


def read_ruleset(text: str) -> Content:
    """Read and check the text of a rule set; raise RuleSetError with every problem found."""
    if len(text) > MAX_CHARACTERS:
        raise RuleSetError([_problem((1, 1), f"a rule set has at most {MAX_CHARACTERS} characters, this {len(text)}")])
    reading = _Reading(*_load(text))
    content = reading.content()
    if reading.problems:
        raise RuleSetError(reading.problems)
    return content


def _load(text: str) -> tuple[dict[str, Any], TomlPlaces]:
    if long := _LONG_KEY.search(text):
        before = text[: long.start()].split("\n")
        raise RuleSetError([_problem((len(before), len(before[-1]) + 1), "a key of more than 32 parts")])
    try:
        return tomllib.loads(text), TomlPlaces(text)
    except RecursionError as error:
        raise RuleSetError([_problem((1, 1), "brackets are nested too deeply")]) from error
    except ValueError as error:  # TOMLDecodeError, and what int() says of a number of thousands of digits
        raise RuleSetError([_toml_problem(text, str(error))]) from error


def _toml_problem(text: str, message: str) -> Problem:
    found = _TOML_PLACE.fullmatch(message)
    if found is None:
        return _problem((1, 1), message)
    if found["line"]:
        return _problem((int(found["line"]), int(found["column"])), found["message"])
    lines = text.split("\n")
    return _problem((len(lines), len(lines[-1]) + 1), found["message"])


def _problem(place: Place, message: str) -> Problem:
    return Problem(line=place[0], column=place[1], message=message)


class _Reading:
    """One pass over a document that keeps going after a fault."""

    def __init__(self, document: dict[str, Any], places: TomlPlaces) -> None:
        self.problems: list[Problem] = []
        self._document = document
        self._places = places

    def content(self) -> Content:
        self._refuse_unknown(self._document, (), SET_KEYS)
        lists = self._lists()
        return Content(
            name=self._identifier(self._document, (), "name"),
            version=self._identifier(self._document, (), "version"),
            lists=lists,
            rules=self._rules(lists),
        )

    def _at_key(self, path: Path, message: str) -> None:
        self.problems.append(_problem(self._places.key(path), message))

    def _at_value(self, path: Path, message: str) -> None:
        self.problems.append(_problem(self._places.value(path), message))

    def _refuse_unknown(self, table: Mapping[str, Any], path: Path, known: frozenset[str]) -> None:
        for key in table.keys() - known:
            self._at_key((*path, key), f"unknown key '{key}'{did_you_mean(key, known)}")

    def _lists(self) -> dict[str, NamedList]:
        tables = self._document.get("lists", {})
        if not isinstance(tables, dict):
            self._at_value(("lists",), "lists is a table: [lists], then name = [values]")
            return {}
        return {name: self._list(name, values) for name, values in tables.items()}

    def _list(self, name: str, values: object) -> NamedList:
        path: Path = ("lists", name)
        if not _LIST_NAME.fullmatch(name):
            self._at_key(path, f"'{name}' is no name for a list: small letters, digits and '_'")
        if name in VOCABULARY or name in KEYWORDS:
            self._at_key(path, f"'{name}' already means something in expressions")
        if not isinstance(values, list):
            self._at_value(path, f"'{name}' must be an array of texts or numbers")
            return NamedList(kind=None, values=frozenset())
        first = None
        for index, value in enumerate(values):
            kind = _kind_of(value)
            first = first or kind
            if kind is None:
                self._at_value((*path, index), f"'{name}' holds texts or numbers only")
            elif kind is not first:
                self._at_value((*path, index), f"'{name}' begins with a {first}, this is a {kind}")
        return NamedList(kind=first, values=frozenset(value for value in values if _kind_of(value) is not None))

    def _rules(self, lists: Mapping[str, NamedList]) -> tuple[Rule, ...]:
        tables = self._document.get("rule", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._at_value(("rule",), "each rule is a table that begins with [[rule]]")
            return ()
        if len(tables) > MAX_RULES:
            self._at_key(("rule", MAX_RULES), f"a rule set has at most {MAX_RULES} rules, this {len(tables)}")
        rules = tuple(self._rule(index, table, lists) for index, table in enumerate(tables[:MAX_RULES]))
        if not any(rule.enabled for rule in rules):
            self._at_key((), "no rule is enabled" if rules else "a rule set needs at least one [[rule]]")
        self._refuse_duplicates(rules)
        return rules

    def _refuse_duplicates(self, rules: Iterable[Rule]) -> None:
        first: dict[str, int] = {}
        for index, rule in enumerate(rules):
            if rule.rule_id and first.setdefault(rule.rule_id, index) != index:
                line, _ = self._places.value(("rule", first[rule.rule_id], "id"))
                self._at_value(("rule", index, "id"), f"rule '{rule.rule_id}' is already on line {line}")

    def _rule(self, index: int, table: Mapping[str, Any], lists: Mapping[str, NamedList]) -> Rule:
        path: Path = ("rule", index)
        self._refuse_unknown(table, path, RULE_KEYS)
        condition = self._value(table, path, "if", str, None)
        return Rule(
            rule_id=self._identifier(table, path, "id"),
            description=self._value(table, path, "description", str, "") or "",
            condition=condition or "",
            tree=_UNREADABLE if condition is None else self._tree((*path, "if"), condition, lists),
            outcome=self._choice(table, path, "outcome", Outcome, None),
            reason=self._choice(table, path, "reason", ReasonCode, None),
            priority=self._value(table, path, "priority", int, DEFAULT_PRIORITY) or 0,
            when=self._choice(table, path, "when", When, When.FALLBACK),
            on_error=self._choice(table, path, "on_error", Outcome, Outcome.REVIEW),
            enabled=bool(self._value(table, path, "enabled", bool, True)),  # noqa: FBT003 - the key's default
        )

    def _tree(self, path: Path, condition: str, lists: Mapping[str, NamedList]) -> Node:
        try:
            return parse_condition(condition, lists)
        except ExpressionError as error:
            place = self._places.within(path, condition, error.line, error.column)
            self.problems.append(_problem(place, error.message))
            return _UNREADABLE

    def _identifier(self, table: Mapping[str, Any], path: Path, key: str) -> str:
        value = self._value(table, path, key, str, None)
        if value is not None and not _ID.fullmatch(value):
            self._at_value((*path, key), f"'{key}' is 1 to 64 of A-Z a-z 0-9 _ . : -")
        return value or ""

    def _choice(
        self, table: Mapping[str, Any], path: Path, key: str, choices: type[Choice], default: Choice | None
    ) -> Choice:
        known = {choice.value: choice for choice in choices}
        value = self._value(table, path, key, str, None if default is None else default.value)
        if value is not None and value not in known:
            self._at_value((*path, key), f"unknown {key} '{value}'{did_you_mean(value, known)}")
        return known.get(value or "", next(iter(choices)))

    def _value(
        self, table: Mapping[str, Any], path: Path, key: str, kind: type[Value], default: Value | None
    ) -> Value | None:
        """The value, or the default where the key is absent or, reported, of another type. No default: required."""
        if key not in table:
            if default is None:
                self._at_key(path, f"'{key}' is missing")
            return default
        value = table[key]
        if type(value) is not kind:  # not isinstance: true is an int to Python
            self._at_value((*path, key), f"'{key}' must be {_TYPE_NAMES[kind]}")
            return default
        return value


def _kind_of(value: object) -> Kind | None:
    if isinstance(value, str):
        return Kind.TEXT
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return Kind.NUMBER
    return None
