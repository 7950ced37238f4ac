"""Stand-in limits: how much rules may approve on one card in a day while the model cannot answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInLimits:
    """What may be approved per card and UTC day without the model; amounts in minor units of the payment's currency.

    A stand-in limit bounds the loss of an outage, as card schemes' stand-in processing does. Each limit is the last
    value allowed; 0 allows nothing. Raises ValueError for a negative limit.
    """

    max_amount_minor: int = 15_000  # one payment
    max_count: int = 5  # payments in a day
    max_sum_minor: int = 30_000  # together in a day

    def __post_init__(self) -> None:
        if min(self.max_amount_minor, self.max_count, self.max_sum_minor) < 0:
            raise ValueError("a stand-in limit cannot be negative")

    def allow(self, *, count: int, sum_minor: int, amount_minor: int) -> bool:
        """Whether a payment may be approved after `count` approvals of `sum_minor` in all on the card today."""
        return (
            amount_minor <= self.max_amount_minor
            and count < self.max_count
            and sum_minor + amount_minor <= self.max_sum_minor
        )
