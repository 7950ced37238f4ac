"""Signs as others would, and answers the console's questions by HTTP."""

import hashlib
import hmac
import json
import re
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from urllib.request import Request, urlopen

from support.processes import Running


def signature(secret: str, headers: Any, body: bytes) -> str:
    """As Standard Webhooks 1.0 describes it, written once more."""
    content = headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"." + body
    return "v1," + b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()


def answered(console: Running, told: dict[str, str], *, secret: str) -> int:
    """The status that the console gives to a signed answer."""
    [port] = re.findall(r'"port": ?(\d+)', console.said())
    body = json.dumps(told).encode()
    headers = {"webhook-id": "a-1", "webhook-timestamp": str(int(datetime.now(UTC).timestamp()))}
    headers["webhook-signature"] = signature(secret, headers, body)
    request = Request(f"http://127.0.0.1:{port}/answers", body, headers)
    with urlopen(request, timeout=10) as answer:
        return int(answer.status)
