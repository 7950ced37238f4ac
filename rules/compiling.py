"""Conditions into Python: a whole rule set becomes one function, executed once, without builtins.

The source is put together from the vocabulary's names, `repr` of checked literals and words of our own, never from
the author's text.
"""

import math
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from models.activity import Activity
from models.transaction import Transaction
from rules.syntax import Arithmetic, Comparison, Literal, Logic, Membership, Name, Negative, Node, Not, Presence, walk
from rules.vocabulary import Kind, Term, origin_expression

Answer = TypeVar("Answer")
Answer_co = TypeVar("Answer_co", covariant=True)


class Judge(Protocol[Answer_co]):
    """A compiled function; `features` is in the order of models.features.FEATURES, finite numbers all."""

    def __call__(self, transaction: Transaction, features: Sequence[float], activity: Activity) -> Answer_co:
        """The answer for one transaction."""


def compile_condition(tree: Node) -> Judge[bool]:
    """One condition as a function; it raises ArithmeticError where the numbers do not work out."""
    writer = _Writer()
    body = f"    return {writer.write(tree)}"
    return _execute([*_loads([tree]), body], writer.constants)


def compile_conditions(trees: Sequence[Node], resolve: Callable[[int, int], Answer], idle: Answer) -> Judge[Answer]:
    """All conditions as one function.

    It answers `idle` when none holds, else `resolve(hits, failed)`: bit k of `hits` is set if condition k holds, of
    `failed` if its numbers do not work out (division by zero, a result that is not finite).
    """
    writer = _Writer(resolve_=resolve, idle_=idle)
    lines = [*_loads(trees), "    hits_ = failed_ = 0"]
    for index, tree in enumerate(trees):
        lines += _step(writer.write(tree), 1 << index, fallible=_calculates(tree))
    lines += ["    if hits_ or failed_:", "        return resolve_(hits_, failed_)", "    return idle_"]
    return _execute(lines, writer.constants)


def _step(condition: str, bit: int, *, fallible: bool) -> list[str]:
    if not fallible:
        return [f"    if {condition}:", f"        hits_ |= {bit}"]
    return [
        "    try:",
        f"        if {condition}:",
        f"            hits_ |= {bit}",
        "    except ArithmeticError_:",
        f"        failed_ |= {bit}",
    ]


def _loads(trees: Sequence[Node]) -> list[str]:
    return [f"    {name} = {origin_expression(term)}" for name, term in _terms(trees).items()]


def _execute(body: Sequence[str], constants: dict[str, object]) -> Judge[Answer]:
    source = "\n".join(["def judge(transaction, features, activity):", *body])
    namespace: dict[str, object] = {**constants, "__builtins__": {}}
    exec(compile(source, "<rules>", "exec"), namespace)  # noqa: S102 - see the module's docstring
    judge: Judge[Answer] = namespace["judge"]  # type: ignore[assignment]
    return judge


def _finite(number: float) -> float:
    """The number itself; inf and NaN raise, so that a silent float overflow fails a rule like a division by zero."""
    if math.isfinite(number):
        return number
    raise ArithmeticError


class _Writer:
    """Writes nodes as Python; what cannot be written as source becomes a constant, its name ending in '_'."""

    def __init__(self, **constants: object) -> None:
        self.constants: dict[str, object] = {"finite_": _finite, "ArithmeticError_": ArithmeticError, **constants}

    def write(self, node: Node) -> str:
        match node:
            case Literal(value=value):
                return repr(value)
            case Name(term=term):
                return term.name
            case Negative(operand=operand):
                return f"(-{self.write(operand)})"
            case Arithmetic(operator=operator, left=left, right=right):
                return f"({self.write(left)} {operator} {self.write(right)})"
            case Not(operand=operand):
                return f"(not {self.write(operand)})"
            case Logic(operator=operator, operands=operands):
                return "(" + f" {operator} ".join(map(self.write, operands)) + ")"
            case Presence(name=name, missing=missing):
                return f"({name.term.name} {'is' if missing else 'is not'} None)"
            case Comparison(operator=operator, left=left, right=right):
                return _guarded(f"{self._operand(left)} {operator} {self._operand(right)}", left, right)
            case Membership(operator=operator, item=item, values=values):
                return _guarded(f"{self._operand(item)} {operator} {self._constant(values)}", item)

    def _operand(self, node: Node) -> str:
        written = self.write(node)
        return f"finite_({written})" if node.kind is Kind.NUMBER and _calculates(node) else written

    def _constant(self, value: object) -> str:
        name = f"list_{len(self.constants)}_"
        self.constants[name] = value
        return name


def _calculates(tree: Node) -> bool:
    return any(isinstance(node, Arithmetic) for node in walk(tree))


def _guarded(comparison: str, *operands: Node) -> str:
    """The comparison, false if a value in it is missing: the language has no third truth value."""
    values = [operand for operand in operands if operand.kind is not Kind.FLAG]  # conditions answer for themselves
    optional = [name for name, term in _terms(values).items() if term.may_be_missing]
    return f"({''.join(f'{name} is not None and ' for name in optional)}{comparison})"


def _terms(trees: Sequence[Node]) -> dict[str, Term]:
    return {node.term.name: node.term for tree in trees for node in walk(tree) if isinstance(node, Name)}
