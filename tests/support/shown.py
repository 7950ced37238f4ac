"""An installation in trouble, as the operations page is to show it."""

from dataclasses import replace
from datetime import datetime, timedelta

from msgspec import structs
from support.wire_samples import a_decision, an_alert_event

from models.alert import AlertStatus, Severity
from rules.decision import DecisionSource, Outcome
from rules.mode import Mode, ModeReason
from streams.overseeing.live import CHART_SECONDS, Live
from streams.wire.alert import write_alert
from streams.wire.codec import write_decision
from streams.wire.heartbeat import Heartbeat, write_heartbeat


def trouble(live: Live, now: datetime) -> None:
    """Two minutes of decisions, of which the last third was without the model on one of two workers."""
    model = structs.replace(a_decision(), decision_source=DecisionSource.MODEL, fallback_reason=None)
    for second in range(CHART_SECONDS, -1, -1):
        at = now.timestamp() - second
        for number in range(30 + second % 7):
            without = second < CHART_SECONDS / 3 and number % 2 == 0
            decision = structs.replace(
                a_decision() if without else model,
                outcome=Outcome.BLOCK if number == 0 else Outcome.REVIEW if number < 3 else Outcome.APPROVE,
                age_ms=20 + number + 90 * without,
            )
            live.take_decision(write_decision(decision), at)
    for name, mode, why in (
        ("worker-1", Mode.STAND_IN, ModeReason.CONNECTION_ERROR),
        ("worker-2", Mode.NORMAL, ModeReason.RECOVERED),
        ("learner", None, None),
    ):
        beat = Heartbeat(
            instance=name,
            at=now - timedelta(seconds=1),
            started_at=now,
            mode=mode,
            mode_reason=why,
            lanes=4,
            model_version="m-20260102-0007",
        )
        live.take_heartbeat(name.encode(), write_heartbeat(beat))
    live.lag = 17
    event = an_alert_event()
    for ago, changes in (
        (3_600, {"reason": "LABELS_STALE", "component": "learner", "severity": Severity.WARNING, "partition": None}),
        (40, {"reason": "CONNECTION_ERROR", "suggested_action": "Rules decide while the scorer is replaced."}),
    ):
        began = now - timedelta(seconds=ago)
        over = {"status": AlertStatus.SETTLED, "restored_at": began, "settled_at": began} if ago > 60 else {}
        alert = replace(event.data, started_at=began, detected_at=began, contained_at=began, **changes)
        live.take_alert(write_alert(replace(event, data=replace(alert, **over))))
