"""Rounds: what waits in all lanes of a worker is taken, decided as one item of the agent, and committed as one.

A Kafka transaction costs a broker nearly the same whatever is in it. So no lane has transactions of its own: the more
comes while one is committed, the more the next one holds, and few payments wait for few milliseconds.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from streams.crash import give_up
from streams.deciding.agent import DecidingAgent
from streams.deciding.batch import Decided
from streams.deciding.intake import Intake
from streams.deciding.lane import Lane
from streams.deciding.lane_state import LaneState, Taken
from streams.deciding.transactional import CLOSE_SECONDS
from streams.deciding.writer import Writer
from streams.settings import LaneSettings

WAIT_SECONDS = 0.2  # for records, before looking whether there is anything else to do
AHEAD_FROM = 100  # payments that wait: then the next round is decided while the one before is committed

Told = Callable[[LaneState, Decided], None]


class _Decided(NamedTuple):
    """What a round has of one lane, and which input offset comes after it."""

    lane: Lane
    batch: Decided
    next: int


class Rounds:
    """Take, have decided and commit, round after round, until closed. Any error of an indefinite kind ends the process.

    Rounds are committed in their order. Fewer than AHEAD_FROM payments wait until the round before is committed: they
    would only be decided to wait then, without those that come meanwhile.
    """

    def __init__(
        self, settings: LaneSettings, *, intake: Intake, writer: Writer, agent: DecidingAgent, told: Told
    ) -> None:
        self._settings = settings
        self._intake = intake
        self._writer = writer
        self._agent = agent
        self._told = told
        self._lanes: list[Lane] = []
        self._task: asyncio.Task[None] | None = None
        self._committing: asyncio.Task[None] | None = None
        self._deciding = self._closing = False

    @property
    def lanes(self) -> Sequence[Lane]:
        """Those that take part."""
        return self._lanes

    def add(self, lanes: Sequence[Lane]) -> None:
        """Have more lanes take part, from the next round on."""
        self._lanes += lanes
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="rounds")

    async def close(self) -> None:
        """Finish the rounds in hand, and begin no other. The producer is for its owner to stop."""
        self._closing = True
        if self._task is None:
            return
        if not self._deciding:
            self._task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.wait({self._task})
                if self._committing is not None:
                    await asyncio.wait({self._committing})
        for each in (self._task, self._committing):
            if each is not None:
                each.cancel()

    async def _run(self) -> None:
        pause = self._settings.min_batch_interval_ms / 1000
        try:
            while not self._closing:
                began = time.monotonic()
                taken = await self._take()
                if taken:
                    self._deciding = True
                    await self._decide(taken)
                    self._deciding = False
                rest = pause - (time.monotonic() - began)
                if rest > 0 and self._waiting < self._settings.max_batch:
                    await asyncio.sleep(rest)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - nobody knows what the agent came to
            give_up("round_failed", error)

    async def _take(self) -> list[tuple[Lane, Taken]]:
        """From each lane that has any; equal shares where there are more than a round may hold."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS):
                while not self._may_take():
                    await self._intake.stirs()
        left = self._settings.max_batch if self._may_take() else 0
        waiting = sorted(self._lanes, key=lambda lane: len(lane.inlet.waiting))
        taken = []
        for place, lane in enumerate(waiting):
            share = min(len(lane.inlet.waiting), -(-left // (len(waiting) - place)))
            if share:
                taken.append((lane, lane.take(share)))
                left -= share
            else:
                lane.rest()
        return taken

    def _may_take(self) -> bool:
        return self._waiting >= (1 if self._committing is None else AHEAD_FROM)

    @property
    def _waiting(self) -> int:
        return sum(len(lane.inlet.waiting) for lane in self._lanes)

    async def _decide(self, taken: Sequence[tuple[Lane, Taken]]) -> None:
        answers = await self._agent.ask([each for _, each in taken], self._settings.answer_timeout_seconds)
        decided = [
            _Decided(lane, batch, lane.complete(batch, each.records))
            for (lane, each), batch in zip(taken, answers, strict=True)
        ]
        if self._committing is not None:
            await asyncio.wait({self._committing})
        self._committing = asyncio.create_task(self._commit(decided), name="commit")

    async def _commit(self, decided: Sequence["_Decided"]) -> None:
        try:
            await self._writer.transact((each.lane.state.partition, each.batch) for each in decided)
            for each in decided:
                each.lane.next = each.next
                self._told(each.lane.state, each.batch)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - fenced, or nobody knows what was written
            give_up("commit_failed", error)
        self._committing = None
        self._intake.stir()
