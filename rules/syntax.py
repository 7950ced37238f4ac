"""The tree of an expression: what the parser builds and the compiler reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from rules.vocabulary import Kind, Term

Constant = int | float | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A number, a text, true or false."""

    value: Constant
    kind: Kind
    depth: ClassVar[int] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A word of the vocabulary."""

    term: Term
    depth: ClassVar[int] = 0

    @property
    def kind(self) -> Kind:
        """The kind of the term."""
        return self.term.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """Two numbers joined by + - * or /."""

    operator: str
    left: "Node"
    right: "Node"
    depth: int
    kind: ClassVar[Kind] = Kind.NUMBER


@dataclass(frozen=True, slots=True, kw_only=True)
class Negative:
    """A number with its sign turned."""

    operand: "Node"
    depth: int
    kind: ClassVar[Kind] = Kind.NUMBER


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two values of one kind compared; false if either is missing."""

    operator: str
    left: "Node"
    right: "Node"
    depth: int
    kind: ClassVar[Kind] = Kind.FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Whether a value is in a list, or is not; false if it is missing."""

    operator: str  # "in" or "not in"
    item: "Node"
    values: frozenset[Constant]
    depth: int
    kind: ClassVar[Kind] = Kind.FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Whether a value that may be missing is."""

    name: Name
    missing: bool
    kind: ClassVar[Kind] = Kind.FLAG
    depth: ClassVar[int] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """The contrary."""

    operand: "Node"
    depth: int
    kind: ClassVar[Kind] = Kind.FLAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic:
    """Conditions joined by one `and` or `or`, left to right, as far as needed."""

    operator: str
    operands: tuple["Node", ...]
    depth: int
    kind: ClassVar[Kind] = Kind.FLAG


Node = Literal | Name | Arithmetic | Negative | Comparison | Membership | Presence | Not | Logic


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below."""
    match node:
        case Literal() | Name():
            return ()
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right):
            return left, right
        case Negative(operand=operand) | Not(operand=operand) | Membership(item=operand) | Presence(name=operand):
            return (operand,)
        case Logic(operands=operands):
            return operands


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)
