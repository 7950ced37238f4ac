"""The decision: exactly one for each transaction, and everything that explains it.

Made on the hot path: as structs its records take a seventh of the time that frozen dataclasses do, 2 instead of 12 us.
"""

from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from models.card_history import CardHistory
from models.score import Contribution
from models.transaction import UtcTime


class Outcome(StrEnum):
    """What to do with the payment; also the last part of the topic's name."""

    APPROVE = "approve"
    BLOCK = "block"
    REVIEW = "review"


class DecisionSource(StrEnum):
    """Who decided."""

    MODEL = "model"
    RULES = "rules"
    STAND_IN = "stand_in"  # rules in place of the model, within the stand-in limits
    SAFE_DEFAULT = "safe_default"
    REVIEWER = "reviewer"
    TIMEOUT_DEFAULT = "timeout_default"


class FallbackReason(StrEnum):
    """Why the model's answer was not used."""

    RESPONSE_TIMEOUT = "RESPONSE_TIMEOUT"  # it missed its budget
    CONNECTION_ERROR = "CONNECTION_ERROR"  # the scorer process is gone or restarting
    APPLICATION_ERROR = "APPLICATION_ERROR"  # it answered with an error
    MODEL_INVALID_OUTPUT = "MODEL_INVALID_OUTPUT"  # NaN, out of [0, 1], or the wrong number of answers
    MODEL_COLD_START = "MODEL_COLD_START"  # no snapshot yet
    MODEL_STALE = "MODEL_STALE"
    TRANSACTION_TOO_OLD = "TRANSACTION_TOO_OLD"  # older than its deadline allows before scoring began
    CONSUMER_LAG = "CONSUMER_LAG"  # the lane is behind
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    FORCED = "FORCED"  # an operator said so
    FEATURE_MISSING = "FEATURE_MISSING"
    RULES_FAILED = "RULES_FAILED"  # rules could not be evaluated, and hard rules must hold over the model


class ReasonCode(StrEnum):
    """Why this outcome. A closed list: consumers may switch on it."""

    LOW_RISK = "LOW_RISK"
    HIGH_RISK = "HIGH_RISK"
    LOW_CONFIDENCE = "LOW_CONFIDENCE"
    REVIEW_CHEAPEST = "REVIEW_CHEAPEST"
    HIGH_VELOCITY = "HIGH_VELOCITY"
    AMOUNT_ABOVE_NORM = "AMOUNT_ABOVE_NORM"
    AMOUNT_LIMIT = "AMOUNT_LIMIT"
    CARD_TESTING = "CARD_TESTING"
    UNUSUAL_TIME = "UNUSUAL_TIME"
    UNFAMILIAR = "UNFAMILIAR"  # a merchant, country, device or category that is new to the card
    CHANNEL_RISK = "CHANNEL_RISK"  # the channel, or how the card was read
    MERCHANT_RISK = "MERCHANT_RISK"
    CARD_FRAUD_KNOWN = "CARD_FRAUD_KNOWN"
    COUNTRY_MISMATCH = "COUNTRY_MISMATCH"
    HIGH_RISK_COUNTRY = "HIGH_RISK_COUNTRY"
    SANCTIONED_COUNTRY = "SANCTIONED_COUNTRY"
    HIGH_RISK_CATEGORY = "HIGH_RISK_CATEGORY"
    CVV_MISMATCH = "CVV_MISMATCH"
    AVS_MISMATCH = "AVS_MISMATCH"
    AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"
    AUTHENTICATED = "AUTHENTICATED"
    MANUAL_ENTRY = "MANUAL_ENTRY"
    NEW_CARD = "NEW_CARD"
    LISTED_DENY = "LISTED_DENY"
    LISTED_ALLOW = "LISTED_ALLOW"
    RULE_FAILED = "RULE_FAILED"  # a rule could not be evaluated; its on_error outcome holds
    MODEL_RULE_DISAGREE = "MODEL_RULE_DISAGREE"
    MODEL_COLD_START = "MODEL_COLD_START"
    OUT_OF_DISTRIBUTION = "OUT_OF_DISTRIBUTION"  # like neither class
    NO_RULE_HIT = "NO_RULE_HIT"
    STAND_IN_LIMIT = "STAND_IN_LIMIT"
    SAFE_DEFAULT = "SAFE_DEFAULT"
    BLOCK_LIMIT = "BLOCK_LIMIT"  # too large a share would be blocked: a person looks
    EXPLORATION = "EXPLORATION"  # it would have been a block, but was drawn to learn what it is
    SANDBOX = "SANDBOX"
    REVIEW_OVERDUE = "REVIEW_OVERDUE"  # nobody decided in time: the default of the queue holds
    INFORMATION_UNANSWERED = "INFORMATION_UNANSWERED"  # asked for in a review, and not there in time
    REVIEW_QUEUE_FULL = "REVIEW_QUEUE_FULL"  # others have more at stake: the default of the queue holds
    COMPLAINT_UPHELD = "COMPLAINT_UPHELD"  # it had been stopped, and should have passed


class InputPosition(Struct, frozen=True, gc=False):
    """Where the transaction lay."""

    topic: str
    partition: int
    offset: int


class Decision(Struct, frozen=True, kw_only=True, gc=False):
    """What is published for a transaction. Money in minor units, times aware and UTC, ages in milliseconds."""

    decision_id: str
    transaction_id: str
    pan_token: str
    outcome: Outcome
    risk_score: float | None  # calibrated fraud probability; None where no model answered
    confidence: float | None  # 1 - the second largest p-value, 0 to 1; None where the model did not choose the outcome
    decision_source: DecisionSource
    fallback_reason: FallbackReason | None
    reason_codes: tuple[ReasonCode, ...]
    contributions: tuple[Contribution, ...]
    rule_hits: tuple[str, ...]
    rule_outcome: Outcome  # what rules alone would have said
    rule_always: Outcome | None = None  # what hard rules said, which hold over the model; None where none hit
    expected_cost_minor: int | None
    model_version: str | None
    ruleset_version: str
    settings_version: str
    event_time: UtcTime
    received_at: UtcTime  # the broker's timestamp of the transaction
    decided_at: UtcTime
    age_ms: int  # decided_at - received_at
    deadline_missed: bool
    amount_minor: int
    currency: str
    merchant_id: str
    terminal_id: str | None
    features: tuple[float, ...]  # as scored, in the order of models.features.FEATURES
    input: InputPosition
    schema_version: int
    propensity: float | None = None  # how likely this outcome was, of a would-be block that might be explored
    credibility: float | None = None  # the largest p-value; None likewise, and where too little is known for p-values
    card_history: CardHistory | UnsetType = UNSET  # for whoever looks; not of approvals
