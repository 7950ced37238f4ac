"""From a score, or none, to an outcome: hard rules, then the model, then rules within limits, then a safe default."""

from dataclasses import dataclass

from msgspec import Struct

from models.score import Score
from models.transaction import Channel
from rules.decision import DecisionSource, FallbackReason, Outcome, ReasonCode
from rules.explaining import reasons_of
from rules.policy import CostPolicy, judge
from rules.ruleset import SEVERITY, Verdict
from rules.safe_default import SafeDefaultPolicy
from rules.stand_in import StandInLimits, StandInUse


class Conclusion(Struct, frozen=True, kw_only=True, gc=False):
    """An outcome with who came to it and why. Confidence, credibility and cost are None where the model did not."""

    outcome: Outcome
    source: DecisionSource
    reasons: tuple[ReasonCode, ...]
    confidence: float | None = None
    credibility: float | None = None
    expected_cost_minor: int | None = None
    fallback_reason: FallbackReason | None = None
    propensity: float | None = None  # how likely the outcome was; None where no chance was involved


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """The installation's policies, applied in their order."""

    costs: CostPolicy
    limits: StandInLimits
    safe_default: SafeDefaultPolicy

    def with_score(self, score: Score, amount_minor: int, verdict: Verdict) -> Conclusion:
        """Conclude from the model's score; hard rules hold all the same. What is not approved is explained, too."""
        judged = judge(score.fraud_probability, amount_minor, self.costs, score.certainty)
        if verdict.always is not None:
            return Conclusion(
                outcome=verdict.always,
                source=DecisionSource.RULES,
                reasons=verdict.always_reasons,
                confidence=judged.confidence if verdict.always is judged.outcome else None,
                credibility=judged.credibility if verdict.always is judged.outcome else None,
                expected_cost_minor=judged.expected_cost_minor if verdict.always is judged.outcome else None,
            )
        disagree = abs(SEVERITY[judged.outcome] - SEVERITY[verdict.outcome]) == 2
        because = () if judged.outcome is Outcome.APPROVE else reasons_of(score.contributions)
        return Conclusion(
            outcome=judged.outcome,
            source=DecisionSource.MODEL,
            reasons=(judged.reason, *((ReasonCode.MODEL_RULE_DISAGREE,) if disagree else ()), *because),
            confidence=judged.confidence,
            credibility=judged.credibility,
            expected_cost_minor=judged.expected_cost_minor,
        )

    def without_score(
        self,
        why: FallbackReason,
        amount_minor: int,
        verdict: Verdict | None,
        used: StandInUse,
        channel: Channel | None = None,
    ) -> Conclusion:
        """Conclude where the model cannot: by rules, approving only within the card's limits; else by safe default.

        Only a hard rule approves beyond those limits: where the safe default would, a person looks. `verdict` is None
        where rules could not be evaluated at all.
        """
        within = self.limits.allow(amount_minor, used)
        if verdict is None:
            return self._safe_default(why, amount_minor, channel, ReasonCode.RULE_FAILED, within=within)
        if verdict.always is not None:
            return Conclusion(
                outcome=verdict.always,
                source=DecisionSource.RULES,
                reasons=verdict.always_reasons,
                fallback_reason=why,
            )
        if verdict.outcome is not Outcome.APPROVE:
            return Conclusion(
                outcome=verdict.outcome, source=DecisionSource.RULES, reasons=verdict.reasons, fallback_reason=why
            )
        if not within:
            return self._safe_default(why, amount_minor, channel, ReasonCode.STAND_IN_LIMIT, within=within)
        return Conclusion(
            outcome=Outcome.APPROVE,
            source=DecisionSource.RULES if verdict.hits else DecisionSource.STAND_IN,
            reasons=verdict.reasons or (ReasonCode.NO_RULE_HIT,),
            fallback_reason=why,
        )

    def _safe_default(
        self, why: FallbackReason, amount_minor: int, channel: Channel | None, because: ReasonCode, *, within: bool
    ) -> Conclusion:
        outcome = self.safe_default.outcome_for(amount_minor, channel)
        return Conclusion(
            outcome=Outcome.REVIEW if outcome is Outcome.APPROVE and not within else outcome,
            source=DecisionSource.SAFE_DEFAULT,
            reasons=(because, ReasonCode.SAFE_DEFAULT),
            fallback_reason=why,
        )
