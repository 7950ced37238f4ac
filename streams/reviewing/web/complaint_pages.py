"""Complaints: the form that takes them, those to be settled, and how often people were right."""

import secrets
from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rules.access import Right
from rules.complaint import Complaint, ComplaintFigures, ComplaintRefusal, ComplaintRefused, ComplaintState
from streams.reviewing.accounts import User
from streams.reviewing.complaints import Grouping, NoSuchComplaint
from streams.reviewing.web import views
from streams.reviewing.web.actions import MOST_WORDS
from streams.reviewing.web.console import MOST_FORM_FIELDS, Console, FormMalformed, chosen

SHOWN = 25
FIGURES_OF = timedelta(days=30)
MOST_ID = 64  # characters

WHY = {
    ComplaintRefusal.NOT_STOPPED: "No payment of this id was stopped, as far as is known.",
    ComplaintRefusal.SETTLED: "Somebody has settled this complaint otherwise.",
    ComplaintRefusal.OWN_VERDICT: "It is about your own verdict; somebody else must settle it.",
    ComplaintRefusal.CARD_NUMBER: "A complaint must not hold a card number.",
}


async def complaints_page(console: Console, request: Request, user: User) -> Response:
    """Complaints that nobody has settled, a form for new ones, and figures."""
    since = console.clock() - FIGURES_OF
    figures = await run_in_threadpool(console.store.complaints.figures, Grouping.SOURCE, since)
    return console.show(
        "complaints.html",
        user=user,
        wanted=request.query_params.get("transaction", "")[:MOST_ID],
        waiting=await run_in_threadpool(console.store.complaints.to_settle, SHOWN),
        figures=[(source, each, in_words(each)) for source, each in sorted(figures.items())],
        may=user.may(Right.REVIEW),
        now=console.clock(),
    )


async def complain(console: Console, request: Request, user: User) -> Response:
    """Take a complaint that somebody has made in another way."""
    form = await request.form(max_fields=MOST_FORM_FIELDS)
    transaction_id, text = str(form.get("transaction", ""))[:MOST_ID].strip(), str(form.get("text", ""))[:MOST_WORDS]
    complaint = Complaint(
        complaint_id=f"form.{secrets.token_hex(8)}",
        transaction_id=transaction_id,
        text=text,
        complained_at=console.clock(),
    )
    await console.log(user.name, "complaint", transaction=transaction_id)
    try:
        await run_in_threadpool(console.store.complaints.receive, complaint)
    except ComplaintRefused as refused:
        return _refused(console, user, refused)
    return RedirectResponse("/complaints", 303)


async def settle(console: Console, request: Request, user: User) -> Response:
    """Uphold a complaint, or reject it."""
    complaint_id, form = request.path_params["complaint_id"], await request.form(max_fields=MOST_FORM_FIELDS)
    if (state := chosen(form, "state", ComplaintState)) is ComplaintState.RECEIVED:
        raise FormMalformed
    await console.log(user.name, "complaint_settled", complaint=complaint_id, state=state)
    try:
        await run_in_threadpool(console.store.complaints.settle, complaint_id, state, user.name, console.clock())
    except ComplaintRefused as refused:
        return _refused(console, user, refused)
    except NoSuchComplaint:
        return console.show("refused.html", 404, user=user, why="There is no such complaint.", back="/complaints")
    return RedirectResponse("/complaints", 303)


def in_words(figures: ComplaintFigures) -> tuple[str, str, str]:
    """Complaints per thousand, share upheld, and time to settle; a dash where there is none."""
    rate, share, seconds = figures.per_thousand, figures.upheld_share, figures.median_seconds
    return (
        "-" if rate is None else f"{rate:.1f}",
        "-" if share is None else f"{share:.0%}",
        "-" if seconds is None else views.duration(timedelta(seconds=seconds)),
    )


def _refused(console: Console, user: User, refused: ComplaintRefused) -> Response:
    return console.show("refused.html", 409, user=user, why=WHY[refused.reason], back="/complaints")
