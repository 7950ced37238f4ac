"""How it goes now: a page that is sent anew each second to those who have it open."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from rules.access import Right
from rules.decision import DecisionSource, Outcome
from streams.overseeing.live import CHART_SECONDS, RECENT_SECONDS
from streams.reviewing.accounts import User
from streams.reviewing.web.chart import HEIGHT, WIDTH, stacked
from streams.reviewing.web.console import Console
from streams.reviewing.web.guard import COOKIE

MOST_WATCHERS = 100  # who have the page open at once
LOOK_AT_SESSION_EVERY = 10  # events
SHOWN_INCIDENTS = 10


class Watching:
    """Who has the page open, and what all of them are shown: rendered once a second, however many they are."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._second, self._part = -1, ""
        self.watchers = 0

    def part(self) -> str:
        """What changes of the page, as of this second."""
        now = self._console.clock()
        if int(now.timestamp()) != self._second:
            self._second = int(now.timestamp())
            view = self._console.live.view(now)
            self._part = self._console.render(
                "live_part.html",
                view=view,
                chart=stacked(view.seconds),
                width=WIDTH,
                height=HEIGHT,
                recent_seconds=RECENT_SECONDS,
                chart_seconds=CHART_SECONDS,
                outcomes=list(Outcome),
                sources=[each for each in DecisionSource if any(source is each for _, source in view.made)],
                shown_incidents=SHOWN_INCIDENTS,
            )
        return self._part

    async def events(self, token: str) -> AsyncIterator[str]:
        """One a second, by the server-sent events of HTML, until the session is over."""
        self.watchers += 1
        try:
            for number in count():
                if number % LOOK_AT_SESSION_EVERY == 0 and not await self._may(token):
                    return
                yield "".join(f"data: {line}\n" for line in self.part().splitlines()) + "\n"
                await asyncio.sleep(1.0)
        finally:
            self.watchers -= 1

    async def _may(self, token: str) -> bool:
        user = await run_in_threadpool(self._console.accounts.watcher_of, token, self._console.clock())
        return user is not None and user.may(Right.LOOK)


async def operations_page(console: Console, request: Request, user: User) -> Response:
    """Workers, rates, ages, lag, fallbacks, alerts and incidents."""
    return console.show("live.html", user=user, part=request.app.state.watching.part())


async def events(_console: Console, request: Request, _user: User) -> Response:
    """The same as it goes on."""
    watching: Watching = request.app.state.watching
    if watching.watchers >= MOST_WATCHERS:
        return PlainTextResponse("Too many have this page open.", 503)
    return StreamingResponse(watching.events(request.cookies[COOKIE]), media_type="text/event-stream")
