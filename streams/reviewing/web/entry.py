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
    return RedirectResponse("/", 303) if request.scope["user"] else console.show("login.html", why="", user=None)


async def log_in(console: Console, request: Request) -> Response:
    """A session for whoever knows the password, and has not tried too often."""
    form = await request.form(max_fields=MOST_FORM_FIELDS)
    name, password = str(form.get("name", ""))[:64], str(form.get("password", ""))[:1024]
    address = request.client.host if request.client else ""
    if not console.limit.may_try(name, address, time.monotonic()):
        return console.show("login.html", 429, why="Too many attempts. Wait a quarter of an hour.", user=None)
    token = await run_in_threadpool(console.accounts.log_in, name, password, console.clock())
    await console.log(name, "log_in" if token else "log_in_refused", address=address)
    if token is None:
        console.limit.failed(name, address, time.monotonic())
        return console.show("login.html", 401, why="Name or password is wrong.", user=None)
    answer = RedirectResponse("/", 303)
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
