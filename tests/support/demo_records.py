"""Records as the demo reads them from topics."""

from datetime import UTC, datetime
from types import SimpleNamespace

import orjson

from models.alert import Alert, AlertStatus, Severity
from rules.decision import DecisionSource, Outcome
from streams.broker.topics import Topic
from streams.wire.alert import event_of, write_alert
from streams.wire.snapshot_record import CHAMPION, SnapshotRecord, write_snapshot


def moment(seconds):
    return datetime.fromtimestamp(seconds, UTC)


def decide(facts, at, *, source=DecisionSource.MODEL, fallback=None, outcome=Outcome.APPROVE, times=1):
    """A decision on a transaction that arrived 10 ms before it was received."""
    value = orjson.dumps(
        {
            "outcome": outcome,
            "decision_source": source,
            "fallback_reason": fallback,
            "model_version": None,
            "received_at": moment(at - 0.01),
        }
    )
    for _ in range(times):
        facts.takes()[Topic(f"decisions.{outcome}")](SimpleNamespace(value=value), at)


def publish(facts, *, labels=600, key=CHAMPION):
    plain = {"model_version": f"{labels}-abc", "labels": labels, "frauds": 12}
    value = write_snapshot(SnapshotRecord(created_at=moment(0), snapshot=plain))
    facts.takes()[Topic.MODELS](SimpleNamespace(key=key, value=value), 0.0)


def alert(facts, status, at, *, started_at, component="scorer", worker="worker-1", count=3):
    told = Alert(
        status=AlertStatus(status),
        dedup_key=f"{worker}/{component}",
        severity=Severity.CRITICAL,
        reason="RESPONSE_TIMEOUT",
        component=component,
        started_at=moment(started_at),
        detected_at=moment(started_at),
        count=count,
    )
    event = event_of(told, event_id="1", source="/holdfast/worker-1", area="scoring", what="slow", time=moment(at))
    facts.takes()[Topic.ALERTS](SimpleNamespace(value=write_alert(event)), at)
