"""One rule: when it holds and what follows."""

from dataclasses import dataclass, field
from enum import StrEnum

from rules.decision import Outcome, ReasonCode
from rules.syntax import Node


class When(StrEnum):
    """In which mode a rule holds."""

    ALWAYS = "always"  # over the model's answer too: a hard rule
    FALLBACK = "fallback"  # only where the model's answer is not used


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule as written; a higher priority goes first."""

    rule_id: str
    description: str
    condition: str
    tree: Node = field(repr=False, compare=False)  # the condition, parsed
    outcome: Outcome
    reason: ReasonCode
    priority: int
    when: When
    on_error: Outcome  # where the condition cannot be evaluated
    enabled: bool
