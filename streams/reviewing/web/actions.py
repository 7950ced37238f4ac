"""What reviewers do: each a form, logged before it is done, and then the next case or where it came from."""

from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from models.information import InformationChannel, InformationTopic
from rules.decision import Outcome
from rules.review_case import VerdictReason
from streams.reviewing.accounts import User
from streams.reviewing.web.console import MOST_FORM_FIELDS, WHY, Console, FormMalformed, chosen
from streams.reviewing.web.pages import ASKED_FOR_MINUTES, SHOWN, lines_of, queue_of, show_queue

MOST_WORDS = 500  # characters of a question


async def take_next(console: Console, request: Request, user: User) -> Response:
    """Have the first case of a queue in hand."""
    return await _next(console, queue_of(console, request), user)


async def decide_many(console: Console, request: Request, user: User) -> Response:
    """One verdict on all cases that were ticked."""
    form = await request.form(max_fields=SHOWN + MOST_FORM_FIELDS)
    queue, outcome, reason = queue_of(console, request), _outcome(form), chosen(form, "reason", VerdictReason)
    ticked = [str(each) for each in form.getlist("case")][:SHOWN]
    ids = [each.case.case_id for each in await run_in_threadpool(console.store.cases, ticked)]
    await console.log(user.name, "verdicts", cases=" ".join(ids), outcome=outcome, reason=reason)
    refused = await run_in_threadpool(console.desk.decide_all, ids, user.reviewer, outcome, reason, console.clock())
    if not refused:
        return RedirectResponse(f"/queues/{queue}", 303)
    why = {case_id: WHY[each] for case_id, each in refused.items()}
    now = console.clock()
    offered = await run_in_threadpool(console.store.to_take, queue, user.reviewer, now, SHOWN)
    lines = await lines_of(console, offered, now)
    return show_queue(console, user, queue, lines, why)


async def lease(console: Console, request: Request, user: User) -> Response:
    """Have this case in hand."""
    case_id = request.path_params["case_id"]
    await console.log(user.name, "lease", case=case_id)
    await run_in_threadpool(console.desk.lease, case_id, user.reviewer, console.clock())
    return RedirectResponse(f"/cases/{case_id}", 303)


async def decide(console: Console, request: Request, user: User) -> Response:
    """Give a verdict, and have the next case in hand."""
    case_id, form = request.path_params["case_id"], await request.form(max_fields=MOST_FORM_FIELDS)
    outcome = _outcome(form)
    reason = chosen(form, f"{outcome}_reason", VerdictReason)
    await console.log(user.name, "verdict", case=case_id, outcome=outcome, reason=reason)
    case = await run_in_threadpool(console.desk.decide, case_id, user.reviewer, outcome, reason, console.clock())
    return await _next(console, case.queue, user)


async def release(console: Console, request: Request, user: User) -> Response:
    """Give it back."""
    case_id = request.path_params["case_id"]
    await console.log(user.name, "release", case=case_id)
    case = await run_in_threadpool(console.desk.release, case_id, user.reviewer, console.clock())
    return RedirectResponse(f"/queues/{case.queue}", 303)


async def escalate(console: Console, request: Request, user: User) -> Response:
    """Hand it to the second line, and have the next case in hand."""
    case_id = request.path_params["case_id"]
    await console.log(user.name, "escalation", case=case_id)
    case = await run_in_threadpool(console.desk.escalate, case_id, user.reviewer, console.clock())
    return await _next(console, case.queue, user)


async def ask(console: Console, request: Request, user: User) -> Response:
    """Ask for information, and have the next case in hand."""
    case_id, form = request.path_params["case_id"], await request.form(max_fields=MOST_FORM_FIELDS)
    asked, channel = chosen(form, "asked", InformationTopic), chosen(form, "channel", InformationChannel)
    minutes, text, now = chosen(form, "minutes", int), str(form.get("text", ""))[:MOST_WORDS], console.clock()
    if minutes not in ASKED_FOR_MINUTES:
        raise FormMalformed
    await console.log(user.name, "question", case=case_id, asked=asked, channel=channel)
    until = now + timedelta(minutes=minutes)
    case = await run_in_threadpool(
        lambda: console.desk.ask(case_id, user.reviewer, asked, channel, text, now, until=until)
    )
    return await _next(console, case.queue, user)


def _outcome(form: FormData) -> Outcome:
    if (outcome := chosen(form, "outcome", Outcome)) is Outcome.REVIEW:
        raise FormMalformed
    return outcome


async def _next(console: Console, queue: str, user: User) -> Response:
    await console.log(user.name, "next", queue=queue)
    case = await run_in_threadpool(console.desk.take_next, queue, user.reviewer, console.clock())
    return RedirectResponse(f"/queues/{queue}" if case is None else f"/cases/{case.case_id}", 303)
