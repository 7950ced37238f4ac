"""A decision at a glance: what tells whether it is to be scored again, and whether the model answered."""

from typing import Any

import msgspec

from rules.decision import FallbackReason, Outcome

# The model is not in doubt: nobody asked it, or it answered and could not be followed.
_WITHOUT_DOUBT = (
    FallbackReason.TRANSACTION_TOO_OLD,
    FallbackReason.CONSUMER_LAG,
    FallbackReason.RULES_FAILED,
    FallbackReason.FEATURE_MISSING,
)


class Glance(msgspec.Struct, frozen=True):
    """Of a decision only this: a tenth of the time of reading it whole."""

    decision_id: str
    outcome: Outcome
    fallback_reason: FallbackReason | None
    risk_score: float | None
    amount_minor: int
    currency: str

    @property
    def answered(self) -> bool:
        """Whether the model gave it a score, used or not."""
        return self.risk_score is not None

    @property
    def unmodelled(self) -> bool:
        """Whether it was decided without the model's word, and is to be scored again."""
        return self.fallback_reason is not None

    @property
    def doubted(self) -> bool:
        """Whether the model itself was the reason."""
        return self.unmodelled and self.fallback_reason not in _WITHOUT_DOUBT


_decoder = msgspec.json.Decoder(Glance)


def glance(record: Any) -> Glance | None:
    """Look at a record of the decision topics; None if it is no decision."""
    try:
        return _decoder.decode(record.value or b"")
    except msgspec.DecodeError:
        return None
