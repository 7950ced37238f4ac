"""The cost policy: the cheapest of approving, blocking and asking a person, automatic only when sure enough.

Sure enough by the fraud probability itself, and by what became of earlier scores (`models.track_record`), as soon as
that is known.
"""

from dataclasses import dataclass
from math import inf

from msgspec import Struct

from models.error_control import ErrorLevels
from models.score import Certainty
from models.track_record import Wanted
from rules.decision import Outcome, ReasonCode

_LEVELS = ErrorLevels()


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPolicy:
    """What outcomes cost, in minor units, and how sure an automatic one must be. Raises ValueError otherwise."""

    fraud_loss: float = 1.0  # share of the amount lost when a fraud is approved
    fraud_fee_minor: int = 1500  # and what its chargeback costs beside
    wrong_block_share: float = 0.05  # margin lost when a good payment is blocked, as a share of its amount
    wrong_block_minor: int = 2000  # and the goodwill of its customer
    review_minor: int = 300  # a reviewer's few minutes
    approve_confidence: float = 0.90  # probability that it is right, at least; below it a person looks
    block_confidence: float = 0.80
    most_fraud_approved: float = _LEVELS.most_fraud_approved  # share of automatic approvals
    most_legitimate_blocked: float = _LEVELS.most_legitimate_blocked  # share of automatic blocks
    least_credibility: float = 0.01  # what is less like either class goes to a person

    def __post_init__(self) -> None:
        costs = (self.fraud_loss, self.fraud_fee_minor, self.wrong_block_share, self.wrong_block_minor)
        if not all(0 <= cost < inf for cost in (*costs, self.review_minor)):
            raise ValueError("a cost cannot be negative or without end")
        if not (0 <= self.approve_confidence <= 1 and 0 <= self.block_confidence <= 1):
            raise ValueError("a confidence is a probability: 0 to 1")
        if not 0 <= self.least_credibility < 1:
            raise ValueError("a credibility is a p-value: at least 0 and below 1")
        _ = self.error_levels

    @property
    def error_levels(self) -> ErrorLevels:
        """What the learner must know of it."""
        return ErrorLevels(
            most_fraud_approved=self.most_fraud_approved, most_legitimate_blocked=self.most_legitimate_blocked
        )

    def wanted(self, probability: float, amount_minor: int) -> Wanted:
        """What it would choose if nothing were known of earlier scores."""
        return Wanted(judge(probability, amount_minor, self).outcome.value)

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


class Judgement(Struct, frozen=True, gc=False):
    """What the policy makes of a score.

    Confidence and credibility are conformal; where too little is known for that, confidence is the probability that the
    outcome is right, of a review that the likelier class is, and there is no credibility.
    """

    outcome: Outcome
    confidence: float
    credibility: float | None
    expected_cost_minor: int
    reason: ReasonCode


def judge(probability: float, amount_minor: int, policy: CostPolicy, certainty: Certainty | None = None) -> Judgement:
    """Choose the cheapest outcome for a fraud probability in [0, 1]; a person where the cheapest is not sure enough.

    Expected-cost decisions after Elkan (2001), "The foundations of cost-sensitive learning".
    """
    outcome, reason, cost = _choice(probability, amount_minor, policy, certainty)
    credibility: float | None = None
    if certainty is not None:
        confidence, credibility = certainty.confidence, certainty.credibility
    elif outcome is Outcome.REVIEW:
        confidence = max(probability, 1.0 - probability)
    else:
        confidence = probability if outcome is Outcome.BLOCK else 1.0 - probability
    return Judgement(outcome, confidence, credibility, round(cost), reason)


def _choice(
    probability: float, amount_minor: int, policy: CostPolicy, certainty: Certainty | None
) -> tuple[Outcome, ReasonCode, float]:
    """With what it is expected to cost."""
    review = policy.review_minor
    if certainty is not None and certainty.credibility < policy.least_credibility:
        return Outcome.REVIEW, ReasonCode.OUT_OF_DISTRIBUTION, review
    approve = policy.approve_cost(probability, amount_minor)
    block = policy.block_cost(probability, amount_minor)
    if review < approve and review < block:
        return Outcome.REVIEW, ReasonCode.REVIEW_CHEAPEST, review
    if approve <= block:
        if 1.0 - probability < policy.approve_confidence or not (certainty is None or certainty.approvable):
            return Outcome.REVIEW, ReasonCode.LOW_CONFIDENCE, review
        return Outcome.APPROVE, ReasonCode.LOW_RISK, approve
    if probability < policy.block_confidence or not (certainty is None or certainty.blockable):
        return Outcome.REVIEW, ReasonCode.LOW_CONFIDENCE, review
    return Outcome.BLOCK, ReasonCode.HIGH_RISK, block
