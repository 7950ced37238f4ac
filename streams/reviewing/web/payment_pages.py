"""One payment, from its topic to the last word on it."""

from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from models.daily import SECONDS_PER_DAY
from rules.complaint import Complaint
from streams.overseeing.story import AROUND, MOST_RECORDS, MOST_SECONDS, SPANS, Search, Story
from streams.reviewing.accounts import User
from streams.reviewing.kept_case import KeptCase
from streams.reviewing.store import Said
from streams.reviewing.web import views
from streams.reviewing.web.console import Console, FormMalformed
from streams.reviewing.web.telling import events_of

LONGEST_ID = 64


async def payment_page(console: Console, request: Request, user: User) -> Response:
    """The search, and what was found."""
    wanted = request.query_params.get("transaction", "").strip()[:LONGEST_ID]
    around, near = _moment(request.query_params.get("around", "")), request.query_params.get("around", "")
    story: Story | None = None
    kept: list[KeptCase] = []
    history: list[Said] = []
    complaints: list[Complaint] = []
    if wanted:
        ids = await run_in_threadpool(console.store.of_transaction, wanted)
        kept = await run_in_threadpool(console.store.cases, ids)
        for each in kept:
            history += await run_in_threadpool(console.store.history, each.case.case_id)
        complaints = await run_in_threadpool(console.store.complaints.of_transaction, wanted)
        known = (kept[0].decision, kept[0].place) if kept else None
        async with console.cluster.reading() as consumer:
            search = Search(consumer, console.settings, wanted)
            story = await search.run(console.clock().timestamp(), around=around, known=known)
    decision = story.decision if story is not None else None
    return console.show(
        "payment.html",
        user=user,
        wanted=wanted,
        near=near if around is not None else "",
        story=story,
        decision=decision,
        amount=views.amount(decision.amount_minor, decision.currency) if decision else "",
        bars=views.bars_of(decision) if decision else [],
        cases=[views.line_of(each, console.clock()) for each in kept],
        events=events_of(story, history, complaints) if story is not None else [],
        most_records=MOST_RECORDS,
        most_seconds=int(MOST_SECONDS),
        farthest_days=int(SPANS[-1] // SECONDS_PER_DAY),
        around_minutes=int(AROUND // 60),
    )


def _moment(text: str) -> float | None:
    """As a browser's field for a moment writes it, UTC. Raises FormMalformed for none of Kafka's times."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        raise FormMalformed from None
    if moment < AROUND:
        raise FormMalformed
    return moment
