"""What is sent of an alert over HTTP: to Alertmanager's API, and as a CloudEvent to a webhook. Pure."""

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple

import orjson

from models.alert import AlertStatus
from streams.wire.alert import CONTENT_TYPE, AlertEvent, write_alert

SECRET_PREFIX = "whsec_"  # noqa: S105 - before base64, as Standard Webhooks has it


class Request(NamedTuple):
    """A POST."""

    headers: dict[str, str]
    body: bytes


def to_webhook(event: AlertEvent, secret: str, now: float) -> Request:
    """The event in structured mode (CloudEvents HTTP binding 1.0.2), signed as Standard Webhooks 1.0 says.

    `now` is seconds since 1970. Without a secret it is not signed.
    """
    body = write_alert(event)
    headers = {"content-type": f"{CONTENT_TYPE}; charset=utf-8", "webhook-id": event.id}
    if secret:
        timestamp = str(int(now))
        signed = hmac.digest(_key(secret), f"{event.id}.{timestamp}.".encode() + body, hashlib.sha256)
        headers |= {
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }
    return Request(headers, body)


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


def _key(secret: str) -> bytes:
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode()
