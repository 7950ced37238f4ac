"""The rule language's parser: text into a typed tree, or one error with its line and column.

Precedence climbing after Vaughan Pratt, "Top Down Operator Precedence" (1973). The language has no loops, calls,
indexes or attributes, so a parsed tree of limited depth takes limited time. See docs/rules.md.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rules.lexing import ExpressionError, Token, TokenKind, tokens
from rules.syntax import (
    Arithmetic,
    Comparison,
    Constant,
    Literal,
    Logic,
    Membership,
    Name,
    Negative,
    Node,
    Not,
    Presence,
)
from rules.vocabulary import VOCABULARY, Kind

__all__ = ["KEYWORDS", "MAX_DEPTH", "NO_LISTS", "ExpressionError", "NamedList", "did_you_mean", "parse_condition"]

MAX_DEPTH = 32  # far below the 200 parentheses at which Python's own parser stops
MAX_NUMBER = 10**18
KEYWORDS = frozenset({"and", "or", "not", "in", "is", "missing", "present", "true", "false"})

_NOT, _COMPARISON, _SIGN = 30, 40, 70
_POWERS = {
    "or": 10,
    "and": 20,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!=", "in", "not", "is"), _COMPARISON),
    **dict.fromkeys(("+", "-"), 50),
    **dict.fromkeys(("*", "/"), 60),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedList:
    """Values under a name for `in`; all numbers or all texts, no kind while it is empty."""

    kind: Kind | None
    values: frozenset[Constant]


NO_LISTS: Mapping[str, NamedList] = {}


def parse_condition(text: str, lists: Mapping[str, NamedList] = NO_LISTS) -> Node:
    """The tree of a condition over the vocabulary and `lists`; raise ExpressionError at the first fault."""
    return _Parser(list(tokens(text)), lists).condition()


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`: did you mean 'x'?` for the closest known word, or nothing."""
    close = difflib.get_close_matches(word.lower()[:64], sorted(known), n=1)
    return f": did you mean '{close[0]}'?" if close else ""


class _Parser:
    def __init__(self, words: list[Token], lists: Mapping[str, NamedList]) -> None:
        self._words = words
        self._lists = lists
        self._at = 0
        self._nesting = 0

    def condition(self) -> Node:
        start = self._next
        node = self._expression(0)
        if self._next.kind is not TokenKind.END:
            raise self._next.error(f"expected an operator or the end, found {self._next}")
        return _flag(node, start, "a rule needs a condition")

    @property
    def _next(self) -> Token:
        return self._words[self._at]

    def _take(self) -> Token:
        word = self._words[self._at]
        self._at += 1
        return word

    def _is(self, *texts: str) -> bool:
        return self._next.kind in (TokenKind.WORD, TokenKind.SYMBOL) and self._next.text in texts

    def _expect(self, text: str) -> None:
        if not self._is(text):
            raise self._next.error(f"expected '{text}', found {self._next}")
        self._take()

    def _power(self) -> int:
        return _POWERS.get(self._next.text, 0) if self._next.kind in (TokenKind.WORD, TokenKind.SYMBOL) else 0

    def _expression(self, floor: int) -> Node:
        start = self._next
        left = self._prefix()
        while self._power() > floor:
            left = self._infix(left, start)
        return left

    def _nested(self, floor: int, opening: Token) -> Node:
        if self._nesting == MAX_DEPTH:
            raise opening.error(f"nested more than {MAX_DEPTH} deep")
        self._nesting += 1
        node = self._expression(floor)
        self._nesting -= 1
        return node

    def _prefix(self) -> Node:
        if self._is("("):
            node = self._nested(0, self._take())
            self._expect(")")
            return node
        if self._is("not"):
            return self._not(self._take())
        if self._is("-"):
            return self._negative(self._take())
        if self._next.kind in (TokenKind.NUMBER, TokenKind.TEXT) or self._is("true", "false"):
            return _literal(self._take())
        if self._next.kind is TokenKind.WORD and self._next.text not in KEYWORDS:
            return self._name(self._take())
        raise self._next.error(f"expected a value, found {self._next}")

    def _not(self, word: Token) -> Node:
        start = self._next
        operand = _flag(self._nested(_NOT, word), start, "'not' needs a condition")
        return Not(operand=operand, depth=_deeper(word, operand))

    def _negative(self, sign: Token) -> Node:
        operand = _number(self._nested(_SIGN, sign), sign)
        return Negative(operand=operand, depth=_deeper(sign, operand))

    def _name(self, word: Token) -> Node:
        if word.text in VOCABULARY:
            return Name(term=VOCABULARY[word.text])
        if word.text in self._lists:
            raise word.error(f"'{word.text}' is a list: it can only follow 'in'")
        raise word.error(f"unknown name '{word.text}'{did_you_mean(word.text, VOCABULARY.keys() | KEYWORDS)}")

    def _infix(self, left: Node, start: Token) -> Node:
        operator = self._take()
        if operator.text in ("and", "or"):
            return self._logic(left, start, operator)
        if operator.text in ("+", "-", "*", "/"):
            return self._arithmetic(left, operator)
        node = self._relation(left, start, operator)
        if self._power() == _COMPARISON:
            raise self._next.error("comparisons do not chain: join two of them with 'and'")
        return node

    def _relation(self, left: Node, start: Token, operator: Token) -> Node:
        if operator.text == "is":
            return self._presence(left, start)
        if operator.text == "in":
            return self._membership(left, start, "in")
        if operator.text == "not":
            self._expect("in")
            return self._membership(left, start, "not in")
        return self._comparison(left, operator)

    def _logic(self, left: Node, start: Token, operator: Token) -> Node:
        first = _flag(left, start, f"'{operator.text}' joins conditions")
        right_start = self._next
        right = self._expression(_POWERS[operator.text])
        second = _flag(right, right_start, f"'{operator.text}' joins conditions")
        joined = first.operands if isinstance(first, Logic) and first.operator == operator.text else (first,)
        operands = (*joined, second)
        return Logic(operator=operator.text, operands=operands, depth=_deeper(operator, *operands))

    def _arithmetic(self, left: Node, operator: Token) -> Node:
        right = _number(self._expression(_POWERS[operator.text]), operator)
        depth = _deeper(operator, left, right)
        return Arithmetic(operator=operator.text, left=_number(left, operator), right=right, depth=depth)

    def _comparison(self, left: Node, operator: Token) -> Node:
        right = self._expression(_COMPARISON)
        if left.kind is not right.kind:
            raise operator.error(f"cannot compare {left.kind} with {right.kind}")
        if operator.text not in ("==", "!="):
            _number(left, operator)
        return Comparison(operator=operator.text, left=left, right=right, depth=_deeper(operator, left, right))

    def _presence(self, left: Node, start: Token) -> Node:
        if not self._is("missing", "present"):
            raise self._next.error(f"expected 'missing' or 'present' after 'is', found {self._next}")
        if not isinstance(left, Name):
            raise start.error("only a name can be missing or present")
        if not left.term.may_be_missing:
            raise start.error(f"'{left.term.name}' is never missing")
        return Presence(name=left, missing=self._take().text == "missing")

    def _membership(self, item: Node, start: Token, operator: str) -> Node:
        if item.kind is Kind.FLAG:
            raise start.error(f"'{operator}' needs a number or a text before it, not a flag")
        opening = self._next
        listed = self._list_literal() if self._is("[") else self._named_list()
        if listed.kind not in (None, item.kind):
            raise opening.error(f"cannot look for {item.kind} in a list of {listed.kind}")
        return Membership(operator=operator, item=item, values=listed.values, depth=_deeper(opening, item))

    def _named_list(self) -> NamedList:
        word = self._take()
        if word.kind is not TokenKind.WORD or word.text in KEYWORDS:
            raise word.error(f"expected a list, found {word}")
        if word.text in self._lists:
            return self._lists[word.text]
        if word.text in VOCABULARY:
            raise word.error(f"'{word.text}' is not a list")
        raise word.error(f"unknown list '{word.text}'{did_you_mean(word.text, self._lists)}")

    def _list_literal(self) -> NamedList:
        self._expect("[")
        values: set[Constant] = set()
        kind: Kind | None = None
        while not self._is("]"):
            if values:
                self._expect(",")
            start = self._next
            value = self._list_value()
            if kind not in (None, value.kind):
                raise start.error(f"a list of {kind} cannot hold {value.kind}")
            kind = value.kind
            values.add(value.value)
        self._take()
        return NamedList(kind=kind, values=frozenset(values))

    def _list_value(self) -> Literal:
        negative = self._is("-")
        if negative:
            self._take()
        if self._next.kind is TokenKind.NUMBER:
            value = _magnitude(self._take())
            return Literal(value=-value if negative else value, kind=Kind.NUMBER)
        if self._next.kind is TokenKind.TEXT and not negative:
            return _literal(self._take())
        raise self._next.error(f"expected a number or a text, found {self._next}")


def _literal(word: Token) -> Literal:
    if word.kind is TokenKind.WORD:
        return Literal(value=word.text == "true", kind=Kind.FLAG)
    if word.kind is TokenKind.TEXT:
        return Literal(value=word.text[1:-1], kind=Kind.TEXT)
    return Literal(value=_magnitude(word), kind=Kind.NUMBER)


def _magnitude(word: Token) -> int | float:
    value = float(word.text) if "." in word.text else int(word.text)
    if value > MAX_NUMBER:
        raise word.error("a number is at most 10^18")
    return value


def _flag(node: Node, at: Token, need: str) -> Node:
    if node.kind is Kind.FLAG:
        return node
    hint = f": write '{node.term.name} == 1'" if isinstance(node, Name) and node.kind is Kind.NUMBER else ""
    raise at.error(f"{need}, this is a {node.kind}{hint}")


def _number(node: Node, operator: Token) -> Node:
    if node.kind is not Kind.NUMBER:
        raise operator.error(f"'{operator.text}' needs numbers, not {node.kind}")
    return node


def _deeper(at: Token, *nodes: Node) -> int:
    depth = 1 + max(node.depth for node in nodes)
    if depth > MAX_DEPTH:
        raise at.error(f"nested more than {MAX_DEPTH} deep")
    return depth
