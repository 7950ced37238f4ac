"""What another rule set would have made of decisions that were made. Pure.

What a rule sees is in the decision's features and its transaction, but for three figures of the card's activity that
follow from the features. Only of a card that paid oftener in a day than its ring holds is the sum of the day another.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from models.activity import Activity
from models.currency import minor_per_major
from models.features import FEATURES
from models.transaction import Transaction
from rules.decision import Decision, Outcome
from rules.policy import CostPolicy, judge
from rules.ruleset import RuleSet, Verdict

MOST_SAMPLES = 5
_PLACE = {name: place for place, name in enumerate(FEATURES)}


class Found(StrEnum):
    """What a payment turned out to be."""

    FRAUD = "fraud"
    COMPLAINT = "complaint"  # good, and its holder had to say so
    LEGITIMATE = "legitimate"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From what outcome to what."""

    before: Outcome
    after: Outcome


@dataclass(slots=True, kw_only=True)
class BackTest:
    """Payments judged anew, those that would be decided otherwise, and what each rule hit."""

    judged: int = 0
    not_judged: int = 0  # of another release's features, or with rules that failed
    changes: dict[Change, Counter[Found]] = field(default_factory=dict)
    samples: dict[Change, list[str]] = field(default_factory=dict)  # transaction ids
    hits: dict[str, Counter[Found]] = field(default_factory=dict)  # by rule

    @property
    def changed(self) -> int:
        """How many would be decided otherwise."""
        return sum(each.total() for each in self.changes.values())

    def take(
        self, decision: Decision, transaction: Transaction, found: Found, ruleset: RuleSet, costs: CostPolicy
    ) -> None:
        """Judge one payment anew."""
        if len(decision.features) != len(FEATURES):
            self.not_judged += 1
            return
        try:
            verdict = ruleset.judge(transaction, decision.features, activity_of(transaction, decision.features))
        except Exception:  # noqa: BLE001 - compiled from what somebody wrote: a worker gives the safe default then
            self.not_judged += 1
            return
        self.judged += 1
        for rule in verdict.hits:
            self.hits.setdefault(rule, Counter())[found] += 1
        after = would_be(decision, verdict, costs)
        if after is decision.outcome:
            return
        change = Change(before=decision.outcome, after=after)
        self.changes.setdefault(change, Counter())[found] += 1
        if len(sampled := self.samples.setdefault(change, [])) < MOST_SAMPLES:
            sampled.append(decision.transaction_id)


def would_be(decision: Decision, verdict: Verdict, costs: CostPolicy) -> Outcome:
    """The outcome with this verdict in place of the one of then; what rules leave alone stays as it was."""
    if verdict.always is not None:
        return verdict.always
    if decision.fallback_reason is None and decision.risk_score is not None:
        if decision.rule_always is None:
            return decision.outcome
        return judge(decision.risk_score, decision.amount_minor, costs).outcome
    if verdict.outcome is not Outcome.APPROVE:
        return verdict.outcome
    rules_approved = decision.rule_always is None and decision.rule_outcome is Outcome.APPROVE
    return decision.outcome if rules_approved else Outcome.APPROVE


def activity_of(transaction: Transaction, features: Sequence[float]) -> Activity:
    """What the card had done just before, by the features that were made of it."""

    def value(name: str) -> float:
        return features[_PLACE[name]]

    unit = minor_per_major(transaction.currency)
    by_day = value("card_count_1d")
    at = transaction.event_time
    return Activity(
        card_count_10m=round(value("card_count_10m")),
        card_count_1h=round(value("card_count_1h")),
        card_count_1d=round(by_day) - 1,
        card_sum_10m_minor=round(value("card_sum_10m") * unit),
        card_sum_1h_minor=round(value("card_sum_1h") * unit),
        card_sum_1d_minor=max(0, round(value("card_mean_1d") * by_day * unit) - transaction.amount_minor),
        card_merchants_1h=round(value("card_merchants_1h")),
        card_merchants_1d=round(value("card_merchants_1d")),
        seconds_since_last=round(value("card_idle_minutes") * 60) if value("card_history") else None,
        hour_utc=int(at.timestamp()) % 86_400 // 3_600,
    )
