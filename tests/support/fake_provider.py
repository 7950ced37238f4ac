"""An identity provider on this machine, that tests can make lie in each way there is."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from support.listening import Answer, Asked, listening

CLIENT_ID, CLIENT_SECRET = "holdfast", "of the client"


@dataclass
class FakeProvider:
    """What it knows, and how it lies; `claims` replace those of the id_token, None takes one away."""

    issuer: str = ""
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    key_id: str = "k-1"
    signs_with: Any = None  # another key, or b"" for none at all
    algorithm: str = "RS256"
    calls_itself: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    down: bool = False

    def agree(self, address: str, user: str) -> dict[str, str]:
        """Somebody logs in there: what a browser brings back to the console."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked | {"user": user}
        return {"code": code, "state": asked["state"]}

    def token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        plain = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "u-1",
            "iat": now,
            "exp": now + 60,
            "nonce": asked["nonce"],
            "preferred_username": asked["user"],
        }
        claims = {name: value for name, value in (plain | self.claims).items() if value is not None}
        key = self.key if self.signs_with is None else self.signs_with
        return jwt.encode(claims, key, algorithm=self.algorithm, headers={"kid": self.key_id})

    def described(self) -> dict[str, Any]:
        return {
            "issuer": self.calls_itself or self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": self.key_id, "alg": "RS256", "use": "sig"}]}

    def exchange(self, given: dict[str, str], authorization: str) -> dict[str, str] | None:
        """A token for a code, once, for who knows the client's secret and began it."""
        expected = base64.b64encode(f"{CLIENT_ID}:{quote_plus(CLIENT_SECRET)}".encode()).decode()
        asked = self.codes.pop(given.get("code", ""), None)
        if authorization != f"Basic {expected}" or asked is None or given["redirect_uri"] != asked["redirect_uri"]:
            return None
        digest = hashlib.sha256(given["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return None
        return {"access_token": "x", "token_type": "Bearer", "id_token": self.token(asked)}


@contextmanager
def provider() -> Iterator[FakeProvider]:
    """It answers within the block."""
    fake = FakeProvider()

    def answer(asked: Asked) -> Answer:
        pages = {"/.well-known/openid-configuration": fake.described, "/keys": fake.keys}
        if asked.body is None:
            told = pages[asked.path]() if asked.path in pages else None
        else:
            given = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
            told = fake.exchange(given, asked.headers.get("authorization", ""))
        return Answer(503 if fake.down else 200 if told is not None else 400, json.dumps(told or {}).encode())

    with listening(answer) as port:
        fake.issuer = f"http://127.0.0.1:{port}"
        yield fake
