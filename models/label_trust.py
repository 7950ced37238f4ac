"""Whom to believe about a payment: the most trusted source that speaks, unless its equals contradict it.

Sources err in their own ways: an issuer's warning comes before anybody looked, a holder forgets what they bought, a
reviewer is in a hurry. What each of them said last stands; what they say together is a testimony.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from msgspec import Meta

from models.label import LabelSource, LabelState

Trust = Annotated[int, Meta(ge=0, le=9)]  # 0: not believed
Share = Annotated[float, Meta(gt=0, le=1)]
Count = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTrust:
    """How far each source is believed, and how much it may say: labels, as a share of the payments decided."""

    chargeback_trust: Trust = 3
    chargeback_share: Share = 0.02
    early_fraud_warning_trust: Trust = 3
    early_fraud_warning_share: Share = 0.02
    customer_complaint_trust: Trust = 3
    customer_complaint_share: Share = 0.02
    offline_analysis_trust: Trust = 3
    offline_analysis_share: Share = 1.0
    manual_review_trust: Trust = 2  # at the time of the payment; what the others say is known later, and better
    manual_review_share: Share = 1.0
    refund_trust: Trust = 1
    refund_share: Share = 0.05
    burst: Count = 500  # labels at once, beyond the share of three days' payments: files come late after a weekend
    most_frauds_per_acceptor: Count = 200  # that one source reports of one acceptor, in a day of event time

    def trust(self, source: LabelSource) -> int:
        """How far a source is believed, 0 to 9."""
        return int(getattr(self, f"{source.value}_trust"))

    def share(self, source: LabelSource) -> float:
        """Labels of a source, as a share of the payments decided."""
        return float(getattr(self, f"{source.value}_share"))


@dataclass(slots=True)
class Testimony:
    """What sources said of one payment, each last, and what that came to: fraud, legitimate, or nothing so far."""

    said: dict[LabelSource, bool] = field(default_factory=dict)
    is_fraud: bool | None = None
    unheard: bool = False  # something was said, too, that does not count

    @property
    def is_open(self) -> bool:
        """Whether silence must not be taken for legitimate, because it was none."""
        return self.unheard and self.is_fraud is None

    def take(self, source: LabelSource, state: LabelState, policy: LabelTrust) -> bool:
        """Hear a source; whether those most trusted contradict each other now. Then it stays what it was.

        What is taken back says legitimate, not nothing: left to silence, what it comes to would depend on whether it
        was ever learnt, and on how often it was read.
        """
        if state is LabelState.DISPUTED or not policy.trust(source):
            return False
        self.said[source] = state is LabelState.FRAUD
        most = max(map(policy.trust, self.said))
        verdicts = {is_fraud for each, is_fraud in self.said.items() if policy.trust(each) == most}
        if len(verdicts) == 1:
            self.is_fraud = verdicts.pop()
        return len(verdicts) > 1

    def to_plain(self) -> dict[str, Any]:
        """Builtins only, for the snapshot."""
        said = {source.value: is_fraud for source, is_fraud in self.said.items()}
        return {"said": said, "is_fraud": self.is_fraud, "unheard": self.unheard}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The testimony that `to_plain` wrote."""
        said = {LabelSource(source): bool(is_fraud) for source, is_fraud in plain["said"].items()}
        return cls(said, plain["is_fraud"], bool(plain["unheard"]))
