"""The Faust agent that decides: one item of its channel is one batch of one lane."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import faust
from aiokafka import ConsumerRecord

from streams.deciding.batch import Decided
from streams.deciding.lane_state import LaneState

Decide = Callable[[LaneState, Sequence[ConsumerRecord]], Awaitable[Decided]]

CHANNEL_SIZE = 64  # more than there are lanes in a worker: putting never waits


class AgentSilent(Exception):
    """The agent did not answer in time; the batch is still the lane's."""


@dataclass(slots=True, kw_only=True, eq=False)
class Item:
    """A batch on its way through the channel."""

    lane: LaneState
    records: Sequence[ConsumerRecord]
    answer: "asyncio.Future[Decided]"


class DecidingAgent:
    """Hands batches to the agent and waits for what it makes of them.

    One batch an item, because Faust's own topic path costs 200-300 us a record and loses records in several ways.
    The agent starts each batch and goes on to the next, so that one lane's features are made while another's wait for
    the scorer; within a lane there is one batch at a time.
    """

    def __init__(self, app: faust.App, decide: Decide) -> None:
        self._decide = decide
        self._channel = app.channel(maxsize=CHANNEL_SIZE)
        self._under_way: set[asyncio.Task[None]] = set()
        app.agent(self._channel, name="decide", concurrency=1)(self._receive)

    async def ask(self, lane: LaneState, records: Sequence[ConsumerRecord], timeout_seconds: float) -> Decided:
        """Decide a batch. Raises what deciding raised, or AgentSilent."""
        item = Item(lane=lane, records=records, answer=asyncio.get_running_loop().create_future())
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
            task = asyncio.create_task(self._answer(item))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _answer(self, item: Item) -> None:
        try:
            decided = await self._decide(item.lane, item.records)
        except Exception as error:  # noqa: BLE001 - it belongs to the lane, which gives up on what it cannot know
            if not item.answer.done():
                item.answer.set_exception(error)
        else:
            if not item.answer.done():
                item.answer.set_result(decided)
