"""What all pages need, and what holds for all of them: who may see them, and what is said where a case refuses."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from rules.access import Right
from rules.review_case import Refusal, WordRefused
from rules.review_policy import ReviewPolicy
from streams.overseeing.cluster import Cluster
from streams.overseeing.live import Live
from streams.reviewing.accounts import Accounts, User
from streams.reviewing.audit_log import AuditLog
from streams.reviewing.desk import Desk
from streams.reviewing.login_limit import LoginLimit
from streams.reviewing.store import NoSuchCase, Store
from streams.reviewing.web.guard import utc_now
from streams.settings import Settings

MOST_FORM_FIELDS = 20
MOST_WHY = 500  # characters of a reason

Page = Callable[["Console", Request, User], Awaitable[Response]]

WHY = {
    Refusal.CLOSED: "This case is closed already.",
    Refusal.LEASED_TO_ANOTHER: "Somebody else has this case in hand.",
    Refusal.NOT_LEASED: "You do not have this case in hand.",
    Refusal.SECOND_LINE_ONLY: "This case is for the second line.",
    Refusal.OTHER_EYES_NEEDED: "You have given your verdict; another pair of eyes must look.",
    Refusal.ALREADY_ESCALATED: "The second line has it already.",
    Refusal.WAITING: "This case waits for information.",
    Refusal.NO_TIME_LEFT: "There is no time left to ask.",
    Refusal.CARD_NUMBER: "A question must not hold a card number.",
}


Choice = TypeVar("Choice")


class FormMalformed(Exception):
    """A form that no page of ours has sent."""


def chosen(form: FormData, name: str, kind: Callable[[str], Choice]) -> Choice:
    """What was chosen in a field. Raises FormMalformed."""
    try:
        return kind(str(form[name]))
    except (KeyError, ValueError):
        raise FormMalformed from None


def reason(form: FormData) -> str:
    """Why somebody does what they do; empty if they do not say."""
    return str(form.get("why", "")).strip()[:MOST_WHY]


@dataclass(slots=True, kw_only=True)
class Console:
    """All that pages need; built once."""

    store: Store
    desk: Desk
    policy: ReviewPolicy
    accounts: Accounts
    audit_log: AuditLog
    live: Live
    cluster: Cluster
    settings: Settings
    clock: Callable[[], datetime] = utc_now
    limit: LoginLimit = field(default_factory=LoginLimit)
    pages: Environment = field(
        default_factory=lambda: Environment(
            loader=PackageLoader("streams.reviewing.web"), autoescape=True, undefined=StrictUndefined
        )
    )

    def show(self, name: str, status: int = 200, **facts: Any) -> HTMLResponse:
        """A page."""
        return HTMLResponse(self.render(name, **facts), status)

    def render(self, name: str, **facts: Any) -> str:
        """The same as text."""
        return self.pages.get_template(name).render(**facts)

    async def log(self, user: str, what: str, **details: str) -> None:
        """Note what somebody is about to do."""
        await run_in_threadpool(self.audit_log.add, user, what, details, self.clock())


def for_whom_may(console: Console, page: Page, right: Right) -> Callable[[Request], Awaitable[Response]]:
    """A page for whoever is there and has the right; what a case refuses is said in a sentence."""

    @wraps(page)
    async def guarded(request: Request) -> Response:
        user: User | None = request.scope["user"]
        if user is None:
            return RedirectResponse("/login", 303)
        if not user.may(right):
            return console.show("refused.html", 403, user=user, why="Your role does not allow this.", back="/")
        try:
            return await page(console, request, user)
        except NoSuchCase:
            return console.show("refused.html", 404, user=user, why="There is no such case.", back="/")
        except WordRefused as refused:
            why = WHY[refused.reason]
            return console.show("refused.html", 409, user=user, why=why, back=request.url.path.rpartition("/")[0])
        except FormMalformed:
            return console.show("refused.html", 400, user=user, why="The form was not filled in.", back="/")

    return guarded
