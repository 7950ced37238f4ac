"""The cost policy: the cheapest of approving, blocking and asking a person, automatic only when sure enough."""

from dataclasses import dataclass
from math import inf

from rules.decision import Outcome, ReasonCode


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPolicy:
    """What outcomes cost, in minor units, and how sure an automatic one must be. Raises ValueError otherwise."""

    fraud_loss: float = 1.0  # share of the amount lost when a fraud is approved
    fraud_fee_minor: int = 1500  # and what its chargeback costs beside
    wrong_block_share: float = 0.05  # margin lost when a good payment is blocked, as a share of its amount
    wrong_block_minor: int = 2000  # and the goodwill of its customer
    review_minor: int = 300  # a reviewer's few minutes
    approve_confidence: float = 0.90  # at least; below it a person looks
    block_confidence: float = 0.80

    def __post_init__(self) -> None:
        costs = (self.fraud_loss, self.fraud_fee_minor, self.wrong_block_share, self.wrong_block_minor)
        if not all(0 <= cost < inf for cost in (*costs, self.review_minor)):
            raise ValueError("a cost cannot be negative or without end")
        if not (0 <= self.approve_confidence <= 1 and 0 <= self.block_confidence <= 1):
            raise ValueError("a confidence is a probability: 0 to 1")

    def approve_cost(self, probability: float, amount_minor: int) -> float:
        """Expected cost of approving, minor units."""
        return probability * (self.fraud_loss * amount_minor + self.fraud_fee_minor)

    def block_cost(self, probability: float, amount_minor: int) -> float:
        """Expected cost of blocking, minor units."""
        return (1.0 - probability) * (self.wrong_block_share * amount_minor + self.wrong_block_minor)

    def cost_of(self, outcome: Outcome, probability: float, amount_minor: int) -> float:
        """Expected cost of an outcome, minor units."""
        match outcome:
            case Outcome.APPROVE:
                return self.approve_cost(probability, amount_minor)
            case Outcome.BLOCK:
                return self.block_cost(probability, amount_minor)
            case Outcome.REVIEW:
                return self.review_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the policy makes of a score. Confidence is the probability that the outcome is right."""

    outcome: Outcome
    confidence: float
    expected_cost_minor: int
    reason: ReasonCode


def judge(probability: float, amount_minor: int, policy: CostPolicy) -> Judgement:
    """Choose the cheapest outcome for a fraud probability in [0, 1]; a person where the cheapest is not sure enough.

    Expected-cost decisions after Elkan (2001), "The foundations of cost-sensitive learning".
    """
    approve = policy.approve_cost(probability, amount_minor)
    block = policy.block_cost(probability, amount_minor)
    if policy.review_minor < min(approve, block):
        return _review(probability, policy, ReasonCode.REVIEW_CHEAPEST)
    if approve <= block:
        if 1.0 - probability < policy.approve_confidence:
            return _review(probability, policy, ReasonCode.LOW_CONFIDENCE)
        return Judgement(
            outcome=Outcome.APPROVE,
            confidence=1.0 - probability,
            expected_cost_minor=round(approve),
            reason=ReasonCode.LOW_RISK,
        )
    if probability < policy.block_confidence:
        return _review(probability, policy, ReasonCode.LOW_CONFIDENCE)
    return Judgement(
        outcome=Outcome.BLOCK,
        confidence=probability,
        expected_cost_minor=round(block),
        reason=ReasonCode.HIGH_RISK,
    )


def _review(probability: float, policy: CostPolicy, reason: ReasonCode) -> Judgement:
    return Judgement(
        outcome=Outcome.REVIEW,
        confidence=max(probability, 1.0 - probability),
        expected_cost_minor=policy.review_minor,
        reason=reason,
    )
