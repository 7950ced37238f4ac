"""Who somebody is, as the installation's identity provider says: OpenID Connect Core 1.0, authorization code flow with
PKCE (RFC 7636). What the provider signs is checked here; nothing else that it or a browser says is believed.
"""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

import aiohttp
import jwt

from streams.settings import OidcSettings

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")  # signatures by a key that only the provider has
REQUIRED = ["iss", "aud", "exp", "iat", "nonce"]
LEEWAY_SECONDS = 30  # that its clock may be off
KNOWN_FOR_SECONDS = 600.0  # where it is and what its keys are
TIMEOUT = aiohttp.ClientTimeout(total=10)


class NotVouchedFor(Exception):
    """The provider does not say who it is, or not in a way that can be believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one attempt to come in is recognised by, 256 bits or more each; never the same twice."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the provider tells of itself."""

    authorize: str
    token: str
    keys: jwt.PyJWKSet
    until: float


class IdentityProvider:
    """The provider of the settings, asked over HTTP. Its methods raise NotVouchedFor where it does not answer well."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._known: _Known | None = None

    async def address(self, attempt: Attempt) -> str:
        """Where a browser is sent to say who is there."""
        known = await self._provider()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "scope": self._settings.scope,
            "client_id": self._settings.client_id,
            "redirect_uri": self._settings.redirect_url,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{known.authorize}{'&' if '?' in known.authorize else '?'}{urlencode(asked)}"

    async def name_of(self, code: str, attempt: Attempt) -> str:
        """Whose code it is that a browser has brought back."""
        known = await self._provider()
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.redirect_url,
            "code_verifier": attempt.verifier,
        }
        client = f"{quote_plus(self._settings.client_id)}:{quote_plus(self._settings.client_secret)}"  # RFC 6749, 2.3.1
        authorization = {"authorization": f"Basic {base64.b64encode(client.encode()).decode()}"}
        token = (await _json("POST", known.token, data=given, headers=authorization)).get("id_token")
        if not isinstance(token, str):
            raise NotVouchedFor("the provider's answer has no id_token")
        claims = await self._checked(token)
        if not hmac.compare_digest(str(claims["nonce"]).encode(), attempt.nonce.encode()):
            raise NotVouchedFor("the id_token is of another attempt")
        name = claims.get(self._settings.claim)
        if not isinstance(name, str) or not name:
            raise NotVouchedFor(f"the id_token has no {self._settings.claim}")
        return name

    async def _checked(self, token: str) -> dict[str, Any]:
        """The claims of a token that the provider has signed for us, and that is not over."""
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(header.get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._settings.client_id,
                issuer=self._settings.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": REQUIRED},
            )
        except jwt.PyJWTError as error:
            raise NotVouchedFor(f"the id_token cannot be believed: {error}") from error
        return claims

    async def _key(self, key_id: str | None) -> jwt.PyJWK:
        for _ in range(2):  # keys change: an unknown one is looked for once more
            found = [each for each in (await self._provider()).keys.keys if key_id in (None, each.key_id)]
            if len(found) == 1:
                return found[0]
            self._known = None
        raise NotVouchedFor("the id_token is signed by a key that the provider does not name")

    async def _provider(self) -> _Known:
        if self._known is None or self._known.until < time.monotonic():
            issuer = self._settings.issuer
            told = await _json("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if told.get("issuer") != issuer:
                raise NotVouchedFor(f"the provider calls itself {told.get('issuer')!r} and not {issuer!r}")
            try:
                keys = jwt.PyJWKSet.from_dict(await _json("GET", str(told["jwks_uri"])))
                self._known = _Known(
                    authorize=str(told["authorization_endpoint"]),
                    token=str(told["token_endpoint"]),
                    keys=keys,
                    until=time.monotonic() + KNOWN_FOR_SECONDS,
                )
            except (KeyError, jwt.PyJWTError) as error:
                raise NotVouchedFor(f"the provider does not describe itself well: {error!r}") from error
        return self._known


async def _json(method: str, url: str, **sent: Any) -> dict[str, Any]:
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            session.request(method, url, allow_redirects=False, **sent) as answer,
        ):
            if answer.status != 200:
                raise NotVouchedFor(f"the provider answers {answer.status}")
            told = await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise NotVouchedFor(f"the provider does not answer: {type(error).__name__}") from error
    if not isinstance(told, dict):
        raise NotVouchedFor("the provider's answer is no JSON object")
    return told
