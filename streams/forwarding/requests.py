"""What is sent over HTTP: alerts to Alertmanager's API, alerts and questions as CloudEvents to a webhook. Pure."""

from typing import NamedTuple

import orjson

from models.alert import AlertStatus
from models.information import InformationRequest
from streams.wire.alert import CONTENT_TYPE, AlertEvent, write_alert
from streams.wire.question_event import question_event, write_question_event
from streams.wire.webhook import signed


class Request(NamedTuple):
    """A POST."""

    headers: dict[str, str]
    body: bytes


def to_webhook(event: AlertEvent, secret: str, now: float) -> Request:
    """An alert in structured mode (CloudEvents HTTP binding 1.0.2), signed if there is a secret; `now` is Unix time."""
    return _event(event.id, write_alert(event), secret, now)


def question_to_webhook(request: InformationRequest, secret: str, now: float) -> Request:
    """A reviewer's question, likewise."""
    event = question_event(request)
    return _event(event.id, write_question_event(event), secret, now)


def to_alertmanager(event: AlertEvent) -> Request | None:
    """For `/api/v2/alerts`; nothing where Alertmanager has no word for it: it knows no incident that is settled."""
    alert = event.data
    if alert.status is AlertStatus.SETTLED:
        return None
    labels = {
        "alertname": alert.reason,
        "incident": alert.dedup_key,
        "severity": alert.severity,
        "component": alert.component,
        **({} if alert.partition is None else {"partition": str(alert.partition)}),
    }
    told = {
        "labels": labels,
        "annotations": {
            "summary": alert.suggested_action,
            "description": f"{alert.count} transactions so far, {alert.amount_minor} minor units",
            "runbook": alert.runbook,
        },
        "startsAt": alert.started_at,
        **({"endsAt": event.time} if alert.status is AlertStatus.RESOLVED else {}),
    }
    return Request({"content-type": "application/json"}, orjson.dumps([told], option=orjson.OPT_UTC_Z))


def _event(event_id: str, body: bytes, secret: str, now: float) -> Request:
    headers = {"content-type": f"{CONTENT_TYPE}; charset=utf-8"}
    return Request(headers | signed(event_id, body, secret, now), body)
