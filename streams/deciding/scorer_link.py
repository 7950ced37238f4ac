"""The worker's side of the scorer process: asks with a deadline, kills what hangs, starts what died."""

import asyncio
import contextlib
import itertools
import socket
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable
from typing import NamedTuple

import structlog

from rules.decision import FallbackReason
from streams.deciding.scorer_frames import Answer, Frame, FrameBuffer, Kind, MalformedFrame, frame, read_answer
from streams.settings import ScorerSettings

log = structlog.get_logger()


class NotScored(Exception):
    """The model's answer cannot be used; `reason` says why, in the decision's words."""

    def __init__(self, reason: FallbackReason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason


class Scored(NamedTuple):
    """An answer, and the snapshot that gave it."""

    answer: Answer
    model_version: str


class ScorerLink:
    """One scorer process at a time, replaced whenever it hangs, dies or breaks the protocol.

    `load` may be called before `start` and at any time after: each new process gets the latest snapshot first.
    """

    def __init__(self, settings: ScorerSettings) -> None:
        self._settings = settings
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Scored]] = {}
        self._asked_at: dict[int, float] = {}  # every unanswered request, also those nobody waits for any more
        self._snapshot: bytes | None = None
        self._fault: bytes | None = None
        self._transport: asyncio.Transport | None = None
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self.model_version: str | None = None  # what the running process has loaded
        self.refusal: str | None = None  # why the latest snapshot was refused, if it was
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Process id of the running scorer."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process and keep one running."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep(), name="scorer keeper")

    async def stop(self) -> None:
        """End the process."""
        if self._keeper:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._end()

    def load(self, snapshot: bytes) -> None:
        """Give the scorer a snapshot (JSON); it goes on answering with the old one until the new one is verified."""
        self._snapshot = snapshot
        self._send(Kind.LOAD, snapshot)

    def inject(self, fault: bytes) -> None:
        """Make the scorer misbehave (JSON: `delay_ms`); drills only."""
        self._fault = fault
        self._send(Kind.FAULT, fault)

    async def score(self, matrix: bytes, rows: int, budget_seconds: float) -> Scored:
        """Score `rows` rows of float64 features within the budget, or raise NotScored."""
        if self._transport is None:
            raise NotScored(FallbackReason.CONNECTION_ERROR, "no scorer process")
        if self.model_version is None:
            loading = self._snapshot is not None and self.refusal is None
            raise NotScored(FallbackReason.CONNECTION_ERROR if loading else FallbackReason.MODEL_COLD_START)
        answered: asyncio.Future[Scored] = asyncio.get_running_loop().create_future()
        number = self._send(Kind.SCORE, matrix, rows=rows)
        self._waiting[number] = answered
        self._asked_at[number] = time.monotonic()
        try:
            async with asyncio.timeout(budget_seconds):
                return await answered
        except TimeoutError:
            raise NotScored(FallbackReason.RESPONSE_TIMEOUT, f"{budget_seconds * 1000:.0f} ms") from None
        finally:
            self._waiting.pop(number, None)

    def condemn(self) -> None:
        """Kill the running process: what it says cannot be trusted. The keeper replaces it."""
        if self._process and self._process.returncode is None:
            self._process.kill()
        self._lost.set()

    def _send(self, kind: Kind, payload: bytes, *, rows: int = 0) -> int:
        number = next(self._numbers)
        if self._transport is not None:
            self._transport.write(frame(kind, number, payload, rows=rows))
        return number

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "streams.deciding.scorer_process",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
            )
        self._lost.clear()
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(lambda: _Listener(self._heard, self._hung_up), sock=ours)
        if self._snapshot is not None:
            self._send(Kind.LOAD, self._snapshot)
        if self._fault is not None:
            self._send(Kind.FAULT, self._fault)

    async def _keep(self) -> None:
        """Watch the process, and replace it with growing pauses while it keeps dying."""
        pause = self._settings.restart_backoff_seconds
        while True:
            started = time.monotonic()
            await self._until_lost()
            log.warning("scorer_lost", pid=self.pid)
            await self._end()
            if time.monotonic() - started > 10 * self._settings.restart_backoff_seconds:
                pause = self._settings.restart_backoff_seconds
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10 * self._settings.restart_backoff_seconds)
            await self._spawn()
            self.restarts += 1

    async def _until_lost(self) -> None:
        hung_after = self._settings.hung_after_ms / 1000
        while not self._lost.is_set():
            oldest = min(self._asked_at.values(), default=None)
            if oldest is not None and time.monotonic() - oldest > hung_after:
                log.warning("scorer_hung", pid=self.pid)
                self.condemn()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await self._lost.wait()

    async def _end(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        self.model_version = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(NotScored(FallbackReason.CONNECTION_ERROR, "the scorer process ended"))
        self._waiting.clear()
        self._asked_at.clear()
        if self._process is not None:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
            await self._process.wait()
            self._process = None

    def _hung_up(self) -> None:
        self._lost.set()

    def _heard(self, heard: Frame) -> None:
        self._asked_at.pop(heard.request, None)
        future = self._waiting.get(heard.request)
        if heard.kind is Kind.LOADED and heard.payload != b"fault":
            self.model_version, self.refusal = heard.payload.decode(), None
            log.info("snapshot_loaded", model_version=self.model_version)
        elif heard.kind is Kind.REFUSED:
            self.refusal = heard.payload.decode()
            log.error("snapshot_refused", why=self.refusal)
        elif future is not None and not future.done():
            self._settle(future, heard)

    def _settle(self, future: asyncio.Future[Scored], heard: Frame) -> None:
        if heard.kind is not Kind.SCORES:
            future.set_exception(NotScored(FallbackReason.APPLICATION_ERROR, heard.payload.decode(errors="replace")))
            return
        try:
            future.set_result(Scored(read_answer(heard), self.model_version or ""))
        except MalformedFrame as error:
            future.set_exception(NotScored(FallbackReason.MODEL_INVALID_OUTPUT, str(error)))


class _Listener(asyncio.Protocol):
    """Bytes from the socket to frames."""

    def __init__(self, heard: Callable[[Frame], None], hung_up: Callable[[], None]) -> None:
        self._heard = heard
        self._hung_up = hung_up
        self._buffer = FrameBuffer()
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport, to close it on nonsense."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Deliver whole frames; end the connection where they are none."""
        try:
            for each in self._buffer.feed(data):
                self._heard(each)
        except MalformedFrame as error:
            log.warning("scorer_babbles", why=str(error))
            if self._transport is not None:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature of asyncio
        """Tell the link."""
        self._hung_up()
