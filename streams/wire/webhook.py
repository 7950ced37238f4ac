"""Signatures of Standard Webhooks 1.0: who shares the secret knows that a message is whole and whose it is. Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

SECRET_PREFIX = "whsec_"  # noqa: S105 - before base64, as Standard Webhooks has it
TOLERANCE_SECONDS = 300  # what is older was recorded and is sent again by somebody else
_ID, _TIMESTAMP, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_VERSION = "v1,"


class NotSigned(Exception):
    """A message that nobody has signed who shares the secret, or not lately."""


def signed(message_id: str, body: bytes, secret: str, now: float) -> dict[str, str]:
    """The headers of a message that is sent at `now`, seconds since 1970; without a secret it is not signed."""
    if not secret:
        return {_ID: message_id}
    timestamp = str(int(now))
    return {
        _ID: message_id,
        _TIMESTAMP: timestamp,
        _SIGNATURE: _VERSION + _signature(message_id, timestamp, body, secret),
    }


def check(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> None:
    """See that a message is signed. A header may hold several signatures, while secrets change. Raises NotSigned."""
    message_id, timestamp = headers.get(_ID, ""), headers.get(_TIMESTAMP, "")
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise NotSigned(f"{_TIMESTAMP} is not of the last {TOLERANCE_SECONDS} s")
    expected = (_VERSION + _signature(message_id, timestamp, body, secret)).encode()
    given = headers.get(_SIGNATURE, "").encode(errors="replace").split(b" ")
    if not any(hmac.compare_digest(expected, each) for each in given):
        raise NotSigned(f"{_SIGNATURE} is not that of this message")


def _signature(message_id: str, timestamp: str, body: bytes, secret: str) -> str:
    content = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(_key(secret), content, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode()
