"""Good records of every kind, to be broken one field at a time."""

from datetime import UTC, datetime
from typing import Any

import orjson

from models.alert import Alert, AlertStatus, Severity
from models.information import (
    InformationAnswer,
    InformationChannel,
    InformationRequest,
    InformationTopic,
    Reply,
)
from models.label import Label, LabelSource, LabelState
from models.score import Contribution
from rules.breaker import BreakerState
from rules.complaint import Complaint
from rules.decision import Decision, DecisionSource, FallbackReason, InputPosition, Outcome, ReasonCode
from rules.mode import Mode, ModeChange, ModeReason, Vitals
from rules.review_price import PriceMove, PriceReason, ReviewLoad
from rules.revision import Agreement, Revision, RevisionKind
from streams.wire.alert import AlertEvent, event_of
from streams.wire.mode_event import ModeEvent, mode_event
from streams.wire.review_price import PriceEvent, price_event

CARD_NUMBER = "4111111111111111"
PAN_TOKEN = "tok_8f3a9c2b7d6e"
KEY = PAN_TOKEN.encode()
EVENT_TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
BROKER_TIME = EVENT_TIME.timestamp() + 0.1


def transaction_document(**changes: Any) -> dict[str, Any]:
    """A transaction with every field, some of them changed."""
    return {
        "transaction_id": "bd4a5379-9c14-4ed3-9326-7fc445c30937",
        "event_time": "2026-01-02T03:04:05.678Z",
        "pan_token": PAN_TOKEN,
        "amount_minor": 12345,
        "currency": "EUR",
        "merchant_id": "m-1234",
        "terminal_id": "t-998",
        "mcc": "5411",
        "merchant_country": "DE",
        "card_country": "DE",
        "channel": "ecommerce",
        "pan_entry_mode": "81",
        "device_id": "dev-12345",
        "ip": "192.168.1.44",
        "avs_result": "Y",
        "cvv_result": "M",
        "eci": "05",
        "three_ds_status": "Y",
        "acquirer_id": "12345678901",
        "rrn": "123456789012",
        "stan": "123456",
    } | changes


def transaction_bytes(**changes: Any) -> bytes:
    """The same as it comes from the topic."""
    return orjson.dumps(transaction_document(**changes))


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The same document, one field left out."""
    return {key: value for key, value in document.items() if key != name}


def a_label() -> Label:
    return Label(
        label_id="l-1",
        transaction_id="t-1",
        source=LabelSource.CHARGEBACK,
        state=LabelState.FRAUD,
        effective_at=EVENT_TIME,
        received_at=EVENT_TIME,
        reason_code="10.4",
    )


def an_information_request() -> InformationRequest:
    return InformationRequest(
        request_id="d-1.q1",
        case_id="d-1",
        transaction_id="t-1",
        pan_token=PAN_TOKEN,
        asked=InformationTopic.DID_YOU_PAY,
        channel=InformationChannel.APP,
        text="Was it you?",
        asked_at=EVENT_TIME,
        until=EVENT_TIME,
        amount_minor=12345,
        currency="EUR",
        merchant_id="m-1234",
    )


def an_information_answer() -> InformationAnswer:
    return InformationAnswer(request_id="d-1.q1", reply=Reply.DENIED, text="Not me.", answered_at=EVENT_TIME)


def a_complaint() -> Complaint:
    return Complaint(complaint_id="c-1", transaction_id="t-1", text="It was me.", complained_at=EVENT_TIME)


def a_price_event() -> PriceEvent:
    load = ReviewLoad(waiting=9, arrived=4, handled=2, window_seconds=1800.0, due_seconds=14400.0)
    move = PriceMove(before_minor=300, after_minor=450, reason=PriceReason.SHORT, load=load, at=EVENT_TIME)
    return price_event(move, source="holdfast/console")


PLACE = InputPosition(topic="decisions.review", partition=3, offset=4)


def a_decision() -> Decision:
    return Decision(
        decision_id="d-1",
        transaction_id="t-1",
        pan_token=PAN_TOKEN,
        outcome=Outcome.REVIEW,
        risk_score=0.25,
        confidence=0.75,
        decision_source=DecisionSource.STAND_IN,
        fallback_reason=FallbackReason.RESPONSE_TIMEOUT,
        reason_codes=(ReasonCode.HIGH_VELOCITY, ReasonCode.AMOUNT_ABOVE_NORM),
        contributions=(Contribution(feature="amount_30d", log_odds=1.5),),
        rule_hits=("velocity_1h",),
        rule_outcome=Outcome.REVIEW,
        expected_cost_minor=300,
        model_version="m-7",
        ruleset_version="r-3",
        settings_version="s-1",
        event_time=EVENT_TIME,
        received_at=EVENT_TIME,
        decided_at=EVENT_TIME,
        age_ms=12,
        deadline_missed=False,
        amount_minor=12345,
        currency="EUR",
        merchant_id="m-1234",
        terminal_id=None,
        features=(0.1, 1.0, -3.5),
        input=InputPosition(topic="transactions", partition=3, offset=99),
        schema_version=1,
    )


def a_revision() -> Revision:
    decision = a_decision()
    return Revision(
        revision_id=f"{decision.decision_id}.re_score",
        kind=RevisionKind.RE_SCORE,
        agreement=Agreement.DIFFER,
        decision_id=decision.decision_id,
        transaction_id=decision.transaction_id,
        pan_token=decision.pan_token,
        outcome=Outcome.APPROVE,
        decision_source=DecisionSource.MODEL,
        reason_codes=(ReasonCode.LOW_RISK,),
        risk_score=0.01,
        confidence=0.99,
        expected_cost_minor=138,
        decided_cost_minor=300,
        model_version="m-8",
        settings_version="s-1",
        decided_outcome=decision.outcome,
        decided_source=decision.decision_source,
        fallback_reason=decision.fallback_reason,
        decided_at=decision.decided_at,
        revised_at=EVENT_TIME,
        amount_minor=decision.amount_minor,
        currency=decision.currency,
        merchant_id=decision.merchant_id,
        decision=PLACE,
    )


def a_mode_event() -> ModeEvent:
    change = ModeChange(
        before=Mode.NORMAL,
        after=Mode.STAND_IN,
        reason=ModeReason.CIRCUIT_OPEN,
        evidence=Vitals(breaker=BreakerState.OPEN, scoring_seconds=0.2),
        at=17.0,
        lasted_seconds=12.5,
    )
    return mode_event(change, event_id="e-1", source="/holdfast/worker-1", subject="worker-1", time=EVENT_TIME)


def an_alert_event() -> AlertEvent:
    alert = Alert(
        status=AlertStatus.OPEN,
        dedup_key="worker-1/scorer",
        severity=Severity.CRITICAL,
        reason="RESPONSE_TIMEOUT",
        component="scorer",
        partition=3,
        started_at=EVENT_TIME,
        detected_at=EVENT_TIME,
        count=17,
        amount_minor=99_000,
        sample_transaction_ids=("t-1", "t-2"),
        suggested_action="Rules decide.",
        runbook="docs/runbook.md#response_timeout",
        versions={"model": "m-7"},
    )
    return event_of(
        alert, event_id="worker-1/scorer/1", source="worker-1", area="scoring", what="slow", time=EVENT_TIME
    )
