"""Warm-up: a history lived through in order of time, each label learnt exactly when it would have been known.

What it leaves is what the worker and the learner would have: profiles, acceptors' histories, known card frauds and a
model. What it yields on the way are prequential scores: each transaction is scored before anything later is known.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from models.card import Profile, regard
from models.classifier import Classifier
from models.error_control import ErrorLevels
from models.features import LABEL_DELAY, Row
from models.learner import Learner
from models.merchant_history import HISTORY_DAYS, MerchantHistory
from models.texts import id_hash
from models.track_record import Wanted

WantedBy = Callable[[float, int], Wanted]  # of a fraud probability and an amount in minor units


class Payment(NamedTuple):
    """One labelled transaction of a history; `at` in seconds since 1970, `acceptor` the terminal or merchant.

    The rest is as a transaction has it, None where the history does not tell.
    """

    at: float
    transaction_id: str
    card: str
    acceptor: str
    amount_minor: int
    currency: str
    is_fraud: bool
    fingerprint: int = 0  # of the content, for duplicates
    merchant_id: str | None = None
    mcc: str | None = None
    merchant_country: str | None = None
    card_country: str | None = None
    channel: str | None = None
    pan_entry_mode: str | None = None
    device_id: str | None = None
    avs_result: str | None = None
    cvv_result: str | None = None
    eci: str | None = None
    three_ds_status: str | None = None


class Scored(NamedTuple):
    """A payment with the features and the fraud probability it had when it came; None where it was not scored."""

    payment: Payment
    features: Row
    fraud_probability: float | None


class WarmUp:
    """State of a warm-up, open to whoever continues from it."""

    def __init__(
        self,
        *,
        model: Classifier | None = None,
        label_delay: float = LABEL_DELAY,
        wanted: WantedBy | None = None,
        levels: ErrorLevels | None = None,
    ) -> None:
        """`wanted` is what costs ask for; without it, a score tells nothing of how far automatic outcomes may go."""
        self._wanted: WantedBy = wanted or (lambda *_: Wanted.REVIEW)
        self._levels = levels or ErrorLevels()
        self.learner = Learner(model)
        self.profiles: dict[str, Profile] = {}
        self._label_delay = label_delay
        self._unlabelled: deque[Scored] = deque()

    @property
    def unlabelled(self) -> int:
        """Payments whose label is not known yet."""
        return len(self._unlabelled)

    def live(self, payment: Payment, *, score: bool = True) -> Scored:
        """Learn the labels due by now, then score the payment and take it into the card's profile.

        Payments come in order of time. Scoring may be left out where nobody reads the score.
        """
        self.learn_until(payment.at - self._label_delay)
        profile = self.profiles.setdefault(payment.card, Profile())
        merchant, card_fraud_at = self.published(payment.acceptor, payment.at), self.learner.card_fraud_at
        marks, _, row = regard(payment.at, payment, profile, merchant, card_fraud_at.get(payment.card))
        profile.observe(payment.at, payment.amount_minor, id_hash(payment.transaction_id), payment.fingerprint, marks)
        scored = Scored(payment, row, self.learner.model.score(row) if score else None)
        self._unlabelled.append(scored)
        return scored

    def published(self, acceptor: str, at: float) -> MerchantHistory | None:
        """The acceptor's history as workers would know it: only where there is fraud in it."""
        history = self.learner.merchants.get(acceptor)
        return history if history is not None and history.has_fraud(at, HISTORY_DAYS) else None

    def learn_until(self, at: float) -> int:
        """Learn the labels of payments at or before `at`; how many."""
        learnt = 0
        while self._unlabelled and self._unlabelled[0].payment.at <= at:
            self._learn(self._unlabelled.popleft())
            learnt += 1
        return learnt

    def settle(self) -> int:
        """Learn all labels that remain, at once; how many."""
        return self.learn_until(float("inf"))

    def _learn(self, scored: Scored) -> None:
        payment, model = scored.payment, self.learner.model
        told = model.score(scored.features) if scored.fraud_probability is None else scored.fraud_probability
        wanted = self._wanted(told, payment.amount_minor)
        model.track_record.take(told, wanted, self._levels, is_fraud=payment.is_fraud)
        self.learner.learn(
            scored.features,
            card=payment.card,
            acceptor=payment.acceptor,
            at=payment.at,
            is_fraud=payment.is_fraud,
        )


def prequential(payments: Iterable[Payment], warm_up: WarmUp, *, score_from: float = float("-inf")) -> Iterator[Scored]:
    """Live through payments one by one; those before `score_from` only build state. A step per item shows progress."""
    for payment in payments:
        yield warm_up.live(payment, score=payment.at >= score_from)
