"""The learner: what lessons leave behind, in the model, of acceptors and of cards, and what of it has changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from models.classifier import Classifier
from models.merchant_history import MerchantHistory, learn
from models.online import FeaturesInvalid, OnlineModel


@dataclass(slots=True, kw_only=True)
class Changes:
    """Keys of what lessons touched since the last look."""

    acceptors: set[str] = field(default_factory=set)
    cards: set[str] = field(default_factory=set)
    lessons: int = 0


class Learner:
    """One state, one verb. Everything here can be published and taken up again."""

    def __init__(
        self,
        model: Classifier | None = None,
        *,
        merchants: dict[str, MerchantHistory] | None = None,
        card_fraud_at: dict[str, float] | None = None,
    ) -> None:
        self.model: Classifier = model or OnlineModel()
        self.merchants = merchants if merchants is not None else {}
        self.card_fraud_at = card_fraud_at if card_fraud_at is not None else {}
        self.refused = 0  # lessons whose features must not be learnt
        self._changes = Changes()

    def learn(
        self,
        features: Sequence[float],
        *,
        card: str,
        acceptor: str,
        at: float,
        is_fraud: bool,
        corrects: bool = False,
    ) -> bool:
        """Learn that a transaction at `at` (seconds since 1970) was fraud or not; whether it could be learnt.

        A correction teaches the model the opposite of what it learnt. An acceptor's history takes in a fraud found
        late, but not a fraud taken back: which of its days to mend is not known any more. A card whose latest fraud is
        taken back is known for none.
        """
        try:
            self.model.learn(features, is_fraud=is_fraud)
        except FeaturesInvalid:
            self.refused += 1
            return False
        self._changes.lessons += 1
        if is_fraud:
            self.card_fraud_at[card] = max(self.card_fraud_at.get(card, at), at)
            self._changes.cards.add(card)
        elif corrects and self.card_fraud_at.get(card) == at:
            del self.card_fraud_at[card]
            self._changes.cards.add(card)
        if is_fraud or not corrects:
            history = self.merchants.get(acceptor, MerchantHistory())
            self.merchants[acceptor] = learn(history, at, is_fraud=is_fraud)
            self._changes.acceptors.add(acceptor)
        return True

    def changes(self) -> Changes:
        """What changed since the last call."""
        changed, self._changes = self._changes, Changes()
        return changed
