"""The rule set: what risk officers wrote, checked and compiled, and the verdict it gives on a transaction."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from rules.compiling import Judge, compile_conditions
from rules.decision import Outcome, ReasonCode
from rules.expression import NamedList
from rules.rule import Rule, When
from rules.ruleset_reading import Problem, RuleSetError, read_ruleset

__all__ = ["NO_HIT", "Problem", "Rule", "RuleSet", "RuleSetError", "Verdict", "When", "parse_ruleset"]

SEVERITY = {Outcome.APPROVE: 0, Outcome.REVIEW: 1, Outcome.BLOCK: 2}
_DIGEST_LENGTH = 12
_REMEMBERED_VERDICTS = 1_024  # combinations of hits; resolving one costs microseconds, remembering it a tenth


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rules say of one transaction.

    `outcome` is what rules alone would say: that of the hit with the highest priority, of equals the severest,
    approve if none hit; `reasons` are those of the hits with that outcome. `always` is the same among the rules that
    hold in every mode, None if none of them hit. A rule that could not be evaluated is in `failed`, not in `hits`,
    and speaks with its on_error outcome and RULE_FAILED.
    """

    hits: tuple[str, ...]
    outcome: Outcome
    reasons: tuple[ReasonCode, ...]
    always: Outcome | None
    always_reasons: tuple[ReasonCode, ...]
    failed: tuple[str, ...]


NO_HIT = Verdict(
    hits=(), outcome=Outcome.APPROVE, reasons=(ReasonCode.NO_RULE_HIT,), always=None, always_reasons=(), failed=()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """A compiled rule set. `judge(transaction, features, activity)` gives a Verdict, NO_HIT itself where none hits."""

    name: str
    version: str  # as its author declared it
    ruleset_version: str  # with a digest of the content
    lists: Mapping[str, NamedList]
    rules: tuple[Rule, ...]  # as written
    judge: Judge[Verdict] = field(repr=False, compare=False)


def parse_ruleset(text: str) -> RuleSet:
    """The rule set of a TOML text, ready to judge; raise RuleSetError with all problems. See docs/rules.md."""
    content = read_ruleset(text)
    digest = hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    return RuleSet(
        name=content.name,
        version=content.version,
        ruleset_version=f"{content.version}+{digest}",
        lists=content.lists,
        rules=content.rules,
        judge=_compile(content.rules),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    rule: Rule
    outcome: Outcome
    reason: ReasonCode


def _compile(rules: Sequence[Rule]) -> Judge[Verdict]:
    ordered = sorted((rule for rule in rules if rule.enabled), key=lambda rule: -rule.priority)

    @lru_cache(maxsize=_REMEMBERED_VERDICTS)
    def resolve(hits: int, failed: int) -> Verdict:
        return _verdict(ordered, hits, failed)

    return compile_conditions([rule.tree for rule in ordered], resolve, NO_HIT)


def _verdict(ordered: Sequence[Rule], hits: int, failed: int) -> Verdict:
    findings = []
    for index, rule in enumerate(ordered):
        if hits >> index & 1:
            findings.append(_Finding(rule=rule, outcome=rule.outcome, reason=rule.reason))
        elif failed >> index & 1:
            findings.append(_Finding(rule=rule, outcome=rule.on_error, reason=ReasonCode.RULE_FAILED))
    outcome, reasons = _strongest(findings)
    hard = [finding for finding in findings if finding.rule.when is When.ALWAYS]
    always, always_reasons = _strongest(hard) if hard else (None, ())
    return Verdict(
        hits=tuple(rule.rule_id for index, rule in enumerate(ordered) if hits >> index & 1),
        outcome=outcome,
        reasons=reasons,
        always=always,
        always_reasons=always_reasons,
        failed=tuple(rule.rule_id for index, rule in enumerate(ordered) if failed >> index & 1),
    )


def _strongest(findings: Sequence[_Finding]) -> tuple[Outcome, tuple[ReasonCode, ...]]:
    """The outcome of the first priority, the severest of equals, and the reasons of all that agree with it."""
    first = [finding.outcome for finding in findings if finding.rule.priority == findings[0].rule.priority]
    outcome = max(first, key=SEVERITY.__getitem__)
    return outcome, tuple(dict.fromkeys(finding.reason for finding in findings if finding.outcome is outcome))
