"""A labelled file lived through payment by payment, and what came of it in columns, for `holdfast evaluate`."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.features import FEATURES
from models.warm_up import Scored
from rules.appraisal import Judged
from rules.hindsight import Hindsight


@dataclass(slots=True)
class Columns:
    """Takes payments in as they were lived through. `keep_features` from that second on: a rival learns from them."""

    hindsight: Hindsight
    keep_features: float = float("inf")
    _at: "array[float]" = field(default_factory=lambda: array("d"))
    _probability: "array[float]" = field(default_factory=lambda: array("d"))
    _amount: "array[int]" = field(default_factory=lambda: array("q"))
    _fraud: "array[int]" = field(default_factory=lambda: array("b"))
    _card: "array[int]" = field(default_factory=lambda: array("q"))
    _currency: "array[int]" = field(default_factory=lambda: array("q"))
    _cards: dict[str, int] = field(default_factory=dict)  # numbers take less memory than a name for each payment
    _currencies: dict[str, int] = field(default_factory=dict)
    _outcome: list[str] = field(default_factory=list)
    _features: "array[float]" = field(default_factory=lambda: array("f"))

    def take(self, lived: Iterable[Scored]) -> None:
        """All of them."""
        for scored in lived:
            payment = scored.payment
            self._at.append(payment.at)
            told = scored.fraud_probability
            self._probability.append(float("nan") if told is None else told)
            self._amount.append(payment.amount_minor)
            self._fraud.append(payment.is_fraud)
            self._card.append(self._cards.setdefault(payment.card, len(self._cards)))
            self._currency.append(self._currencies.setdefault(payment.currency, len(self._currencies)))
            judged = self.hindsight.judge(scored)
            self._outcome.append("" if judged is None else judged.outcome.value)
            if payment.at >= self.keep_features:
                self._features.extend(array("f", scored.features))

    def judged(self, begin: float) -> Judged:
        """The columns, decided where they were scored; `begin` is midnight of day 0."""
        return Judged(
            seconds=np.array(self._at) - begin,
            card=np.array(self._card),
            is_fraud=np.array(self._fraud, dtype=bool),
            probability=np.array(self._probability),
            amount_minor=np.array(self._amount),
            currency=np.array(list(self._currencies))[np.array(self._currency, dtype=np.intp)],
            outcome=np.array(self._outcome, dtype="U7"),
        )

    def features(self) -> NDArray[np.float32]:
        """Of the last payments, as many as were kept: (n, features)."""
        return np.frombuffer(self._features, dtype=np.float32).reshape(-1, len(FEATURES))
