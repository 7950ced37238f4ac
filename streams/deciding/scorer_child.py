"""One scorer process as the worker sees it: started, asked, ended. When to start another is for the link to say."""

import asyncio
import itertools
import json
import time
from math import isnan
from typing import NamedTuple, Self
from zlib import crc32

import structlog

from models.score import Certainty, Score
from rules.decision import FallbackReason
from streams.deciding.nursery import Nursery, Offspring
from streams.deciding.scorer_frames import Answer, Frame, FrameBuffer, Kind, MalformedFrame, frame, read_answer
from streams.wire.scorer_fault import ScorerFault

log = structlog.get_logger()


class NotScored(Exception):
    """The model's answer cannot be used; `reason` says why, in the decision's words."""

    def __init__(self, reason: FallbackReason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason


class SnapshotRefused(Exception):
    """The scorer will not score with this snapshot; the message says why."""


class Scored(NamedTuple):
    """An answer, and the snapshot that gave it."""

    answer: Answer
    model_version: str

    def scores(self) -> list[Score]:
        """What it says of each row. All at once: taking rows out of arrays one by one takes twice as long."""
        answer, (approve_below, block_from) = self.answer, self.answer.bounds
        columns = (answer.probabilities, answer.p_values, answer.features, answer.log_odds)
        return [
            Score(
                probability,
                self.model_version,
                None
                if isnan(legitimate)
                else Certainty(legitimate, fraud, probability < approve_below, probability >= block_from),
                told,
                log_odds,
            )
            for probability, (legitimate, fraud), told, log_odds in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ]


class _Asked(NamedTuple):
    at: float
    answer: "asyncio.Future[Frame]"


class ScorerChild(asyncio.Protocol):
    """A running scorer process and the socket to it. `lost` is set once it is dead, condemned or not to be believed."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        self.model_version: str | None = None  # what it scores with
        self._numbers = itertools.count(1)
        self._asked: dict[int, _Asked] = {}  # every unanswered request, also those nobody waits for any more
        self._buffer = FrameBuffer()
        self._offspring: Offspring
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def spawn(cls, nursery: Nursery, memory_mb: int) -> Self:
        """Have a process that may take so much memory. Raises OSError where the machine has no room for one."""
        child = cls()
        child._offspring, ours = await nursery.bear(memory_mb)
        try:
            await asyncio.get_running_loop().create_connection(lambda: child, sock=ours)
        except BaseException:
            ours.close()
            await child.end()
            raise
        return child

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._offspring.pid

    @property
    def waited(self) -> float:
        """How long the oldest unanswered request is waiting, seconds."""
        return time.monotonic() - min((asked.at for asked in self._asked.values()), default=time.monotonic())

    async def load(self, snapshot: bytes, timeout_seconds: float) -> None:
        """Have it verify a snapshot (JSON) and score with it from then on. Raises SnapshotRefused or NotScored."""
        heard = await self._ask(Kind.LOAD, snapshot, timeout_seconds)
        if heard.kind is not Kind.LOADED:
            raise SnapshotRefused(heard.payload.decode(errors="replace"))
        self.model_version = heard.payload.decode(errors="replace")

    def misbehave(self, fault: ScorerFault) -> None:
        """Tell it to; drills only."""
        self._send(Kind.FAULT, json.dumps({"kind": fault.kind, "delay_ms": fault.delay_ms}).encode())

    async def score(self, matrix: bytes, rows: int, budget_seconds: float) -> Scored:
        """Score `rows` rows of float64 features within the budget, or raise NotScored."""
        heard = await self._ask(Kind.SCORE, matrix, budget_seconds, rows=rows)
        if heard.kind is not Kind.SCORES:
            raise NotScored(FallbackReason.APPLICATION_ERROR, heard.payload.decode(errors="replace"))
        try:
            answer = read_answer(heard)
        except MalformedFrame as error:
            raise NotScored(FallbackReason.MODEL_INVALID_OUTPUT, str(error)) from error
        if answer.question != crc32(matrix):
            raise NotScored(FallbackReason.MODEL_INVALID_OUTPUT, "an answer to another question")
        return Scored(answer, self.model_version or "")

    def kill(self) -> None:
        """End the process at once: it hangs, or what it says cannot be trusted."""
        self._offspring.kill()
        self.lost.set()

    async def end(self) -> None:
        """Kill it and wait until nothing is left of it; whoever still waits for an answer gets none."""
        self.kill()
        if self._transport is not None:
            self._transport.abort()
        self._disappoint()
        try:
            await self._offspring.gone()
        except asyncio.CancelledError:  # it is killed: waiting takes no time
            await self._offspring.gone()
            raise

    async def retire(self, within_seconds: float) -> None:
        """End it once it has answered what it was asked."""
        waiting = [asked.answer for asked in self._asked.values() if not asked.answer.done()]
        try:
            if waiting:
                await asyncio.wait(waiting, timeout=within_seconds)
        finally:
            await self.end()

    async def _ask(self, kind: Kind, payload: bytes, timeout_seconds: float, *, rows: int = 0) -> Frame:
        if self.lost.is_set():
            raise NotScored(FallbackReason.CONNECTION_ERROR, "the scorer process ended")
        answer = self._send(kind, payload, rows=rows)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await answer
        except TimeoutError:
            if answer.done() and not answer.cancelled():  # it was in time, and the loop late to hand it over
                return answer.result()
            raise NotScored(FallbackReason.RESPONSE_TIMEOUT, f"{timeout_seconds * 1000:.0f} ms") from None

    def _send(self, kind: Kind, payload: bytes, *, rows: int = 0) -> "asyncio.Future[Frame]":
        number = next(self._numbers)
        asked = _Asked(time.monotonic(), asyncio.get_running_loop().create_future())
        self._asked[number] = asked
        if self._transport is not None:
            self._transport.write(frame(kind, number, payload, rows=rows))
        return asked.answer

    def _disappoint(self) -> None:
        for asked in self._asked.values():
            if not asked.answer.done():
                asked.answer.set_exception(NotScored(FallbackReason.CONNECTION_ERROR, "the scorer process ended"))
                asked.answer.exception()  # seen: nobody need be waiting
        self._asked.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to the process."""
        ours: asyncio.Transport = transport  # type: ignore[assignment]
        ours.set_write_buffer_limits(high=1)  # else uvloop writes once all that is ready has had its turn
        self._transport = ours

    def data_received(self, data: bytes) -> None:
        """Hand answers to those who wait; believe nothing more after nonsense."""
        try:
            for heard in self._buffer.feed(data):
                self._hear(heard)
        except MalformedFrame as error:
            log.warning("scorer_babbles", pid=self.pid, why=str(error))
            self.kill()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature of asyncio
        """Nothing more will come."""
        self.lost.set()
        self._disappoint()

    def _hear(self, heard: Frame) -> None:
        asked = self._asked.pop(heard.request, None)
        if asked is None:
            raise MalformedFrame(f"an answer to request {heard.request}, which was not asked")
        if not asked.answer.done():
            asked.answer.set_result(heard)
