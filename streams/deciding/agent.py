"""The Faust agent that decides: one item of its channel is a round, what was taken of every lane."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import faust

from streams.deciding.batch import Decided
from streams.deciding.lane_state import Taken

Decide = Callable[[Sequence[Taken]], Awaitable[list[Decided]]]


class AgentSilent(Exception):
    """The agent did not answer in time; nothing of the round is decided."""


@dataclass(slots=True, kw_only=True, eq=False)
class Item:
    """A round on its way through the channel."""

    taken: Sequence[Taken]
    answer: "asyncio.Future[list[Decided]]"


class DecidingAgent:
    """Hands rounds to the agent and waits for what it makes of them.

    One round an item, because Faust's own topic path costs 200-300 us a record and loses records in several ways.
    """

    def __init__(self, app: faust.App, decide: Decide) -> None:
        self._decide = decide
        self._channel = app.channel(maxsize=1)
        app.agent(self._channel, name="decide", concurrency=1)(self._receive)

    async def ask(self, taken: Sequence[Taken], timeout_seconds: float) -> list[Decided]:
        """Decide a round, each lane's batch in its place. Raises what deciding raised, or AgentSilent."""
        item = Item(taken=taken, answer=asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._channel.put(item)
                await asyncio.wait({item.answer})
        except TimeoutError as error:
            if not item.answer.done():
                raise AgentSilent(f"no answer within {timeout_seconds} s") from error
        return item.answer.result()

    async def _receive(self, stream: Any) -> None:
        async for item in stream:
            await self._answer(item)

    async def _answer(self, item: Item) -> None:
        try:
            decided = await self._decide(item.taken)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked, who gives up on what he cannot know
            if not item.answer.done():
                item.answer.set_exception(error)
        else:
            if not item.answer.done():
                item.answer.set_result(decided)
