"""Coming in by the identity provider of the installation: away to it, and back with its word.

An attempt is known here by its state, for a while and once, and to one browser by a cookie. Who comes back must be a
user of the console: the provider says who somebody is, not what they may do.
"""

import secrets
import time
from collections import OrderedDict

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from streams.reviewing.web.console import Console
from streams.reviewing.web.entry import address_of, keep_session, login_form
from streams.reviewing.web.identity_provider import Attempt, IdentityProvider, NotVouchedFor

COOKIE = "holdfast_sign_on"
ATTEMPT_SECONDS = 600
MOST_ATTEMPTS = 1_000


class SignOn:
    """Attempts that have not come back yet, in this process: a console that starts again knows none."""

    def __init__(self, console: Console, provider: IdentityProvider) -> None:
        self._console = console
        self._provider = provider
        self._attempts: OrderedDict[str, tuple[Attempt, float]] = OrderedDict()

    async def leave(self, request: Request) -> Response:
        """Send the browser to the provider."""
        attempt = Attempt(
            state=secrets.token_urlsafe(32), nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48)
        )
        try:
            address = await self._provider.address(attempt)
        except NotVouchedFor as error:
            return await self._refuse(request, "", str(error))
        self._attempts[attempt.state] = (attempt, time.monotonic() + ATTEMPT_SECONDS)
        while len(self._attempts) > MOST_ATTEMPTS:
            self._attempts.popitem(last=False)
        answer = RedirectResponse(address, 303)
        answer.set_cookie(
            COOKIE,
            attempt.state,
            max_age=ATTEMPT_SECONDS,
            path=request.url.path,
            httponly=True,
            samesite="lax",  # it must come along when the provider sends the browser back
            secure=request.url.scheme == "https",
        )
        return answer

    async def come_back(self, request: Request) -> Response:
        """A session for the user whom the provider names."""
        state, code = request.query_params.get("state", ""), request.query_params.get("code", "")
        attempt, until = self._attempts.pop(state, (None, 0.0))
        if attempt is None or until < time.monotonic() or request.cookies.get(COOKIE) != state:
            return await self._refuse(request, "", "no such attempt")
        if not code:
            return await self._refuse(request, "", f"the provider says {request.query_params.get('error', '')[:64]!r}")
        try:
            name = await self._provider.name_of(code, attempt)
        except NotVouchedFor as error:
            return await self._refuse(request, "", str(error))
        console = self._console
        token = await run_in_threadpool(console.accounts.let_in, name, console.clock())
        if token is None:
            return await self._refuse(request, name[:64], "no user of the console")
        await console.log(name, "log_in", address=address_of(request), by="provider")
        # A page of ours leads on: after a redirect the browser would hold back a cookie that is for this site alone.
        return keep_session(console.show("signed_on.html", user=None), token, request)

    async def _refuse(self, request: Request, name: str, why: str) -> Response:
        await self._console.log(name, "log_in_refused", address=address_of(request), by="provider", why=why)
        return login_form(self._console, 401, "The identity provider did not let you in, or you are no user here.")
