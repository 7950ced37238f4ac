"""The Faust agent that decides: one item of its channel is one batch of one lane."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import faust
from aiokafka import ConsumerRecord
from faust.types.tuples import Message

from streams.deciding.batch import Decided
from streams.deciding.lane_state import LaneState

Decide = Callable[[LaneState, Sequence[ConsumerRecord]], Awaitable[Decided]]

CHANNEL_SIZE = 64  # more than there are lanes in a worker: putting never waits
OFFER_AGAIN_SECONDS = 1.0


class AgentSilent(Exception):
    """The agent did not answer in time; the batch is still the lane's."""


@dataclass(slots=True, kw_only=True, eq=False)
class Item:
    """A batch on its way through the channel."""

    lane: LaneState
    records: Sequence[ConsumerRecord]
    answer: "asyncio.Future[Decided]"
    taken: bool = False


class DecidingAgent:
    """Hands batches to the agent and waits for what it makes of them.

    One batch an item, because Faust's own topic path costs 200-300 us a record and loses records in several ways.
    The agent starts each batch and goes on to the next, so that one lane's features are made while another's wait for
    the scorer; within a lane there is one batch at a time.
    """

    def __init__(self, app: faust.App, decide: Decide) -> None:
        self._app = app
        self._decide = decide
        self._channel = app.channel(maxsize=CHANNEL_SIZE)
        self._under_way: set[asyncio.Task[None]] = set()
        app.agent(self._channel, name="decide", concurrency=1)(self._receive)

    async def ask(self, lane: LaneState, records: Sequence[ConsumerRecord], timeout_seconds: float) -> Decided:
        """Decide a batch. Raises what deciding raised, or AgentSilent."""
        item = Item(lane=lane, records=records, answer=asyncio.get_running_loop().create_future())
        give_up_at = time.monotonic() + timeout_seconds
        while (left := give_up_at - time.monotonic()) > 0:
            wait = min(left, OFFER_AGAIN_SECONDS)
            if not item.taken:  # Faust drops channel items while its own group settles at start
                await self._offer(item, wait)
            answered, _ = await asyncio.wait({item.answer}, timeout=wait)
            if answered:
                return item.answer.result()
        raise AgentSilent(f"no answer within {timeout_seconds} s")

    async def _offer(self, item: Item, timeout_seconds: float) -> None:
        with contextlib.suppress(TimeoutError):  # the channel of an agent that stands still fills up
            async with asyncio.timeout(timeout_seconds):
                await self._channel.put(self._event(item))

    def _event(self, item: Item) -> Any:
        # An event needs the present generation of Faust's own group, or the agent's stream drops it.
        generation = self._app.consumer_generation_id
        envelope = Message("lane", 0, 0, time.time(), 0, None, None, None, None, generation_id=generation)
        return self._app.create_event(None, item, None, envelope)

    async def _receive(self, stream: Any) -> None:
        async for item in stream:
            if not item.taken:
                item.taken = True
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
