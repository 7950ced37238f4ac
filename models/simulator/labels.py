"""What is later said about a transaction: by whom, how late and how rightly, depending on how it was decided."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from random import Random
from typing import Literal

from models.label import Label, LabelSource, LabelState
from models.simulator.chance import log_normal, seeded
from models.simulator.policy import SimulatedTransaction
from models.transaction import Channel, Transaction

Outcome = Literal["approve", "block", "review"]
REPORTED_AFTER = 0.4  # of a delay: what is said became true before it was heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How late a label comes after what it speaks of: log-normal, in days of simulated time, held within bounds."""

    median: float
    sigma: float
    least: float
    most: float

    def draw(self, rng: Random) -> timedelta:
        """One delay, to the millisecond."""
        days = min(self.most, max(self.least, log_normal(rng, self.median, self.sigma)))
        return timedelta(milliseconds=round(days * 86_400_000.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPolicy:
    """How often each party speaks, as shares of the transactions it could speak of, and how late."""

    fraud_warned: float = 0.45  # early fraud warnings of the card schemes
    warning_delay: Delay = Delay(median=3.0, sigma=0.7, least=0.25, most=14.0)
    fraud_charged_back: float = 0.8
    chargeback_delay: Delay = Delay(median=24.0, sigma=0.6, least=5.0, most=115.0)
    fraud_refunded: float = 0.05  # the merchant sees it first
    honest_refunded: float = 0.012
    refund_delay: Delay = Delay(median=6.0, sigma=0.8, least=0.05, most=60.0)
    honest_disputed: float = 0.0006  # goods that never came
    honest_charged_back: float = 0.0004  # holders who forgot, or say so
    reversed_if_honest: float = 0.6
    reversed_if_fraud: float = 0.015
    reversal_delay: Delay = Delay(median=25.0, sigma=0.4, least=5.0, most=75.0)
    fraud_seen_in_review: float = 0.9
    honest_seen_in_review: float = 0.97
    review_delay: Delay = Delay(median=0.08, sigma=0.9, least=0.003, most=2.0)
    blocked_fraud_confirmed: float = 0.3  # the holder, asked, says it was somebody else
    wrong_block_complained_of: float = 0.35
    complaint_delay: Delay = Delay(median=0.25, sigma=1.2, least=0.002, most=7.0)


DEFAULT_LABELS = LabelPolicy()


def labels_for(
    simulated: SimulatedTransaction, outcome: Outcome | None = None, policy: LabelPolicy = DEFAULT_LABELS
) -> tuple[Label, ...]:
    """All labels this transaction will ever get, by the time they are received; most get none and mature.

    `outcome` is how it was decided; None is as approved. Asked again, it answers the same: the transaction id is the
    seed, so that labels depend neither on order nor on what else is asked.
    """
    digest = blake2b(simulated.transaction.transaction_id.encode(), digest_size=8).digest()
    story = _Story(simulated, policy, seeded(int.from_bytes(digest)))
    return tuple(sorted(story.told(outcome), key=lambda label: (label.received_at, label.label_id)))


@dataclass(frozen=True, slots=True)
class _Story:
    simulated: SimulatedTransaction
    policy: LabelPolicy
    rng: Random

    def told(self, outcome: Outcome | None) -> Iterator[Label]:
        if outcome == "block":
            return self._blocked()
        return self._reviewed() if outcome == "review" else self._approved()

    def _approved(self) -> Iterator[Label]:
        return self._defrauded() if self.simulated.is_fraud else self._honest()

    def _defrauded(self) -> Iterator[Label]:
        policy = self.policy
        if self._happens(policy.fraud_refunded):
            yield self._label(LabelSource.REFUND, LabelState.FRAUD, policy.refund_delay, "SUSPECTED_FRAUD")
            return
        if self._happens(policy.fraud_warned):
            warning = LabelSource.EARLY_FRAUD_WARNING
            yield self._label(warning, LabelState.FRAUD, policy.warning_delay, "FRAUD_REPORTED")
        if self._happens(policy.fraud_charged_back):
            yield from self._charged_back(policy.reversed_if_fraud)

    def _honest(self) -> Iterator[Label]:
        policy = self.policy
        mark = self.rng.random()
        if mark < policy.honest_refunded:
            yield self._label(LabelSource.REFUND, LabelState.LEGITIMATE, policy.refund_delay, "GOODS_RETURNED")
        elif mark < policy.honest_refunded + policy.honest_disputed:
            yield self._label(LabelSource.CHARGEBACK, LabelState.DISPUTED, policy.chargeback_delay, "13.1")
        elif mark < policy.honest_refunded + policy.honest_disputed + policy.honest_charged_back:
            yield from self._charged_back(policy.reversed_if_honest)

    def _charged_back(self, reversed_share: float) -> Iterator[Label]:
        reason = _chargeback_reason(self.simulated.transaction)
        charged = self._label(LabelSource.CHARGEBACK, LabelState.FRAUD, self.policy.chargeback_delay, reason)
        yield charged
        if self._happens(reversed_share):
            delay = self.policy.reversal_delay
            yield self._label(LabelSource.CHARGEBACK, LabelState.REVERSED, delay, reason, since=charged.received_at)

    def _reviewed(self) -> Iterator[Label]:
        policy, fraud = self.policy, self.simulated.is_fraud
        right = self._happens(policy.fraud_seen_in_review if fraud else policy.honest_seen_in_review)
        found = LabelState.FRAUD if right is fraud else LabelState.LEGITIMATE
        verdict = self._label(LabelSource.MANUAL_REVIEW, found, policy.review_delay, "REVIEWED")
        yield verdict
        if found is LabelState.LEGITIMATE:
            yield from self._approved()
        elif not fraud:
            yield from self._complaint(since=verdict.received_at)

    def _blocked(self) -> Iterator[Label]:
        if not self.simulated.is_fraud:
            yield from self._complaint(since=self.simulated.transaction.event_time)
        elif self._happens(self.policy.blocked_fraud_confirmed):
            review, delay = LabelSource.MANUAL_REVIEW, self.policy.review_delay
            yield self._label(review, LabelState.FRAUD, delay, "HOLDER_CONFIRMED")

    def _complaint(self, since: datetime) -> Iterator[Label]:
        if self._happens(self.policy.wrong_block_complained_of):
            complaint, delay = LabelSource.CUSTOMER_COMPLAINT, self.policy.complaint_delay
            yield self._label(complaint, LabelState.LEGITIMATE, delay, "WRONGLY_BLOCKED", since=since)

    def _happens(self, share: float) -> bool:
        return self.rng.random() < share

    def _label(
        self, source: LabelSource, state: LabelState, delay: Delay, reason: str, since: datetime | None = None
    ) -> Label:
        transaction = self.simulated.transaction
        since, waited = since or transaction.event_time, delay.draw(self.rng)
        return Label(
            label_id=f"{transaction.transaction_id}.{source.value}.{state.value}",
            transaction_id=transaction.transaction_id,
            source=source,
            state=state,
            effective_at=since + waited * REPORTED_AFTER,
            received_at=since + waited,
            reason_code=reason,
        )


def _chargeback_reason(transaction: Transaction) -> str:
    """Visa's dispute conditions for fraud: card-absent, counterfeit without a chip read, other card-present."""
    if transaction.channel is not Channel.CARD_PRESENT:
        return "10.4"
    return "10.1" if transaction.pan_entry_mode in ("801", "901") else "10.3"
