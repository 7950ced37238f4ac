"""What holds for every request: who asks, from where, and what the answer may do in a browser."""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.reviewing.accounts import Accounts

COOKIE = "holdfast_session"
CHANGES_NOTHING = frozenset({"GET", "HEAD"})
ANSWERS = "/answers"  # sent by no browser: signed
BY_ITSELF = frozenset({"/operations/events", "/operations/again"})  # a page asks for them, and nobody may be there

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses what would change something and comes from another site; puts the user into `scope["user"]`.

    Without a cookie-borne secret in forms: a browser says where a request comes from (Sec-Fetch-Site, and Origin for
    those that do not know it), and what says neither is no browser's form.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._accounts = accounts
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        harmless = scope["method"] in CHANGES_NOTHING or scope["path"] == ANSWERS
        if not harmless and not is_own(Headers(scope=scope), scope["scheme"]):
            await PlainTextResponse("This came from another site.", 403)(scope, receive, send_guarded)
            return
        token = HTTPConnection(scope).cookies.get(COOKIE)
        user_of = self._accounts.watcher_of if scope["path"] in BY_ITSELF else self._accounts.user_of
        scope["user"] = await run_in_threadpool(user_of, token, self._clock()) if token else None
        await self._app(scope, receive, send_guarded)


def is_own(headers: Headers, scheme: str) -> bool:
    """Whether a request comes from a page of this site."""
    if (site := headers.get("sec-fetch-site")) is not None:
        return site == "same-origin"
    origin = urlsplit(headers.get("origin", ""))
    return bool(origin.netloc) and (origin.scheme, origin.netloc) == (scheme, headers.get("host"))


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)
