"""The label: what somebody later says a transaction was."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from models.transaction import SCHEMA_VERSION, Identifier, UtcTime


class LabelSource(StrEnum):
    """Who says so."""

    CHARGEBACK = "chargeback"
    EARLY_FRAUD_WARNING = "early_fraud_warning"
    MANUAL_REVIEW = "manual_review"
    CUSTOMER_COMPLAINT = "customer_complaint"
    REFUND = "refund"
    OFFLINE_ANALYSIS = "offline_analysis"


class LabelState(StrEnum):
    """What they say. `reversed` takes an earlier label of the same transaction back."""

    FRAUD = "fraud"
    LEGITIMATE = "legitimate"
    DISPUTED = "disputed"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One statement about one transaction."""

    label_id: Identifier
    transaction_id: Identifier
    source: LabelSource
    state: LabelState
    effective_at: UtcTime  # when it became true in the world
    received_at: UtcTime  # when we could first have known
    reason_code: Annotated[str, Meta(max_length=64)] | None = None
    schema_version: int = SCHEMA_VERSION
