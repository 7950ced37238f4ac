"""Coming in and going out."""

import time

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from streams.reviewing.accounts import LONGEST
from streams.reviewing.web.console import MOST_FORM_FIELDS, Console
from streams.reviewing.web.guard import COOKIE


async def login_page(console: Console, request: Request) -> Response:
    """The form."""
    return RedirectResponse("/", 303) if request.scope["user"] else login_form(console, 200, "")


async def log_in(console: Console, request: Request) -> Response:
    """A session for whoever knows the password, and has not tried too often."""
    form = await request.form(max_fields=MOST_FORM_FIELDS)
    name, password = str(form.get("name", ""))[:64], str(form.get("password", ""))[:1024]
    address = address_of(request)
    if not console.limit.may_try(name, address, time.monotonic()):
        return login_form(console, 429, "Too many attempts. Wait a quarter of an hour.")
    token = await run_in_threadpool(console.accounts.log_in, name, password, console.clock())
    await console.log(name, "log_in" if token else "log_in_refused", address=address)
    if token is None:
        console.limit.failed(name, address, time.monotonic())
        return login_form(console, 401, "Name or password is wrong.")
    return keep_session(RedirectResponse("/", 303), token, request)


def address_of(request: Request) -> str:
    """Where a request comes from; empty if nothing is known of it."""
    return request.client.host if request.client else ""


def keep_session(answer: Response, token: str, request: Request) -> Response:
    """Have the browser keep the token of a session."""
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(LONGEST.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


async def log_out(console: Console, request: Request) -> Response:
    """End the session."""
    if (user := request.scope["user"]) is not None:
        await console.log(user.name, "log_out")
        await run_in_threadpool(console.accounts.log_out, request.cookies[COOKIE])
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


def login_form(console: Console, status: int, why: str) -> Response:
    """The form, and why somebody was not let in."""
    return console.show("login.html", status, why=why, user=None, provider=bool(console.settings.oidc.issuer))
