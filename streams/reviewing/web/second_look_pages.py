"""Second looks: a case as the first reviewer had it, without what came of it; and for leads, how well people agree."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rules.decision import Outcome
from rules.reviewer_quality import COMPARED, Kappa, KnownVerdict, agreement, drifts
from streams.reviewing.accounts import User
from streams.reviewing.second_looks import SecondLookRefused
from streams.reviewing.web import views
from streams.reviewing.web.console import MOST_FORM_FIELDS, Console, FormMalformed, chosen


async def waiting_page(console: Console, _: Request, user: User) -> Response:
    """How many wait for this reviewer."""
    waiting = await run_in_threadpool(console.store.second_looks.waiting, user.name, console.clock())
    in_hand = await run_in_threadpool(console.store.second_looks.in_hand, user.name, console.clock())
    return console.show("second_looks.html", user=user, waiting=waiting, in_hand=in_hand)


async def take_next(console: Console, _: Request, user: User) -> Response:
    """Have one in hand."""
    await console.log(user.name, "second_look")
    return await _next(console, user)


async def second_look_page(console: Console, request: Request, user: User) -> Response:
    """One case that is in hand for a second look: nothing here tells what the first reviewer did."""
    case_id, now = request.path_params["case_id"], console.clock()
    if case_id != await run_in_threadpool(console.store.second_looks.in_hand, user.name, now):
        return _refused(console, user)
    kept = await run_in_threadpool(console.store.case, case_id)
    return console.show(
        "second_look.html",
        user=user,
        case_id=case_id,
        decision=kept.decision,
        answers=kept.case.answers,
        line=views.line_of(kept, now),
        bars=views.bars_of(kept.decision),
        card=views.card_of(kept.decision),
    )


async def give(console: Console, request: Request, user: User) -> Response:
    """Say what one would have decided, and have the next in hand."""
    case_id, form = request.path_params["case_id"], await request.form(max_fields=MOST_FORM_FIELDS)
    if (outcome := chosen(form, "outcome", Outcome)) is Outcome.REVIEW:
        raise FormMalformed
    await console.log(user.name, "second_look_verdict", case=case_id, outcome=outcome)
    kept = await run_in_threadpool(console.store.case, case_id)
    looks, risk = console.store.second_looks, kept.decision.risk_score
    try:
        await run_in_threadpool(looks.give, case_id, user.name, outcome, risk, console.clock())
    except SecondLookRefused:
        return _refused(console, user)
    return await _next(console, user)


async def reviewers_page(console: Console, _: Request, user: User) -> Response:
    """How well reviewers agree, and who decides otherwise than the others."""
    known = await run_in_threadpool(console.store.second_looks.verdicts, console.clock() - COMPARED)
    return console.show("reviewers.html", user=user, **await run_in_threadpool(_compared, known))


def in_words(kappa: Kappa | None) -> str:
    """Kappa with its interval, and of how many pairs."""
    if kappa is None:
        return "not known yet"
    return f"{kappa.kappa:.2f} ({kappa.low:.2f} to {kappa.high:.2f}), {kappa.observed:.0%} of {kappa.pairs} alike"


def _compared(known: Sequence[KnownVerdict]) -> dict[str, Any]:
    """What the page tells of so many verdicts that it takes a while."""
    return {
        "everybody": in_words(agreement(known)),
        "each": [(name, in_words(agreement(known, name))) for name in sorted({each.reviewer for each in known})],
        "weeks": list(reversed(drifts(known))),
    }


async def _next(console: Console, user: User) -> Response:
    now = console.clock()
    until = now + timedelta(minutes=console.policy.lease_minutes)
    case_id = await run_in_threadpool(console.store.second_looks.take_next, user.name, now, until)
    return RedirectResponse("/second-looks" if case_id is None else f"/second-looks/{case_id}", 303)


def _refused(console: Console, user: User) -> Response:
    why = "You do not have this case in hand for a second look."
    return console.show("refused.html", 409, user=user, why=why, back="/second-looks")
