"""Pages that show: queues, one queue, one case."""

from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from models.information import InformationChannel, InformationTopic
from rules.access import Right
from streams.reviewing.accounts import User
from streams.reviewing.web import views
from streams.reviewing.web.console import Console, FormMalformed

SHOWN = 25  # cases of a queue
PRECEDENTS = 6
ASKED_FOR_MINUTES = (15, 30, 60, 120)


async def queues_page(console: Console, request: Request, user: User) -> Response:
    """All queues, what the reviewer has in hand, and a search by transaction."""
    now = console.clock()
    wanted = request.query_params.get("transaction", "").strip()
    found = await run_in_threadpool(console.store.of_transaction, wanted) if wanted else []
    in_hand = await run_in_threadpool(console.store.in_hand, user.name, now)
    names = [each.name for each in console.policy.queues]
    lengths = {(each.queue, each.line): each for each in await run_in_threadpool(console.store.queues, now)}
    return console.show(
        "queues.html",
        user=user,
        queues=[(name, lengths.get((name, 1)), lengths.get((name, 2))) for name in names],
        in_hand=await lines_of(console, in_hand, now),
        wanted=wanted,
        found=await lines_of(console, found, now),
    )


async def queue_page(console: Console, request: Request, user: User) -> Response:
    """The first cases of a queue that the reviewer may take."""
    now = console.clock()
    queue = queue_of(console, request)
    ids = await run_in_threadpool(console.store.to_take, queue, user.reviewer, now, SHOWN)
    lines = await lines_of(console, ids, now)
    return show_queue(console, user, queue, lines, {})


async def case_page(console: Console, request: Request, user: User) -> Response:
    """One case: what it is about, why it is here, and what can be done."""
    case_id, now = request.path_params["case_id"], console.clock()
    if case_id == await run_in_threadpool(console.store.second_looks.in_hand, user.name, now):
        return RedirectResponse(f"/second-looks/{case_id}", 303)  # where nothing tells what the first did
    kept = await run_in_threadpool(console.store.case, case_id)
    history = await run_in_threadpool(console.store.history, case_id)
    like = await run_in_threadpool(console.store.precedents.of, kept.decision, PRECEDENTS)
    return console.show(
        "case.html",
        user=user,
        kept=kept,
        case=kept.case,
        decision=kept.decision,
        line=views.line_of(kept, now),
        bars=views.bars_of(kept.decision),
        card=views.card_of(kept.decision),
        precedents=[views.precedent_of(each) for each in like],
        history=views.told(history),
        open=views.is_open(kept.case, now) and user.may(Right.REVIEW),
        mine=kept.case.holder(now) == user.name,
        reasons=views.REASONS,
        topics=list(InformationTopic),
        channels=list(InformationChannel),
        minutes=ASKED_FOR_MINUTES,
    )


def show_queue(
    console: Console, user: User, queue: str, lines: list[views.CaseLine], refused: dict[str, str]
) -> Response:
    """The page of a queue, with the verdicts on it that were refused, and why."""
    status = 409 if refused else 200
    bulk = user.may(Right.BULK)
    return console.show(
        "queue.html", status, user=user, queue=queue, lines=lines, refused=refused, bulk=bulk, reasons=views.REASONS
    )


async def lines_of(console: Console, case_ids: list[str], now: datetime) -> list[views.CaseLine]:
    """Cases as lists show them."""
    kept = await run_in_threadpool(console.store.cases, case_ids)
    return [views.line_of(each, now) for each in kept]


def queue_of(console: Console, request: Request) -> str:
    """The queue that is asked for. Raises FormMalformed for one that there is not."""
    name: str = request.path_params["queue"]
    if name not in {each.name for each in console.policy.queues}:
        raise FormMalformed
    return name
