"""The worker's side of the scorer: one process that answers, replaced when it hangs, dies, lies or has learnt more."""

import asyncio
import contextlib
import time

import structlog

from rules.decision import FallbackReason
from streams.deciding.nursery import Nursery
from streams.deciding.scorer_child import NotScored, Scored, ScorerChild, SnapshotRefused
from streams.settings import ScorerSettings
from streams.wire.scorer_fault import FaultKind, ScorerFault

log = structlog.get_logger()

LOOK_SECONDS = 0.05
_WELL = ScorerFault(kind=FaultKind.NONE)


class ScorerLink:
    """Always one scorer process to be asked.

    A snapshot is loaded by a new process, which takes over once it has verified it: verifying takes longer than a
    batch may wait. Until then, or if it is refused, the old process goes on with what it has. Only the first is loaded
    by the process that is there: nobody asks it yet. `load` may be called before `start` and at any time after.
    """

    def __init__(self, settings: ScorerSettings, nursery: Nursery | None = None) -> None:
        self._settings = settings
        self._nursery = nursery or Nursery()
        self._child: ScorerChild | None = None  # the one that is asked
        self._latest: bytes | None = None
        self._proven: bytes | None = None  # the latest snapshot that a scorer took
        self._fault: ScorerFault | None = None  # that lasts
        self._mending: asyncio.TimerHandle | None = None  # of a fault that has an end
        self._renewal = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.refusal: str | None = None  # why the latest snapshot was refused, if it was
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Process id of the scorer that is asked."""
        return self._child.pid if self._child else None

    @property
    def model_version(self) -> str | None:
        """What it scores with; None while nothing can be scored."""
        return self._child.model_version if self._child and not self._child.lost.is_set() else None

    @property
    def alive(self) -> bool:
        """Whether there is a process to be asked."""
        return self._child is not None and not self._child.lost.is_set()

    @property
    def has_snapshot(self) -> bool:
        """Whether a scorer has taken one, ever."""
        return self._proven is not None

    async def start(self) -> None:
        """Start a process and keep one running."""
        self._child = await self._raised(None)
        self._tasks = [
            asyncio.create_task(self._keep(), name="scorer keeper"),
            asyncio.create_task(self._renew(), name="scorer renewal"),
        ]

    async def stop(self) -> None:
        """End every process."""
        if self._mending is not None:
            self._mending.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._child is not None:
            await self._child.end()
            self._child = None
        await self._nursery.close()

    def load(self, snapshot: bytes) -> None:
        """Score with this snapshot (JSON) as soon as a scorer has verified it."""
        self._latest = snapshot
        self._renewal.set()

    def inject(self, fault: ScorerFault) -> None:
        """Make the scorer misbehave until the fault's time is over, and those after it if it lasts; drills only."""
        if self._mending is not None:
            self._mending.cancel()
            self._mending = None
        if fault.until is not None:
            left = fault.until - time.time()
            if left > 0:
                self._mending = asyncio.get_running_loop().call_later(left, self.inject, _WELL)
            else:
                fault = _WELL
        self._fault = fault if fault.lasting and fault.kind is not FaultKind.NONE else None
        if self._child is not None:
            self._child.misbehave(fault)

    async def score(self, matrix: bytes, rows: int, budget_seconds: float) -> Scored:
        """Score `rows` rows of float64 features within the budget, or raise NotScored."""
        if self._proven is None:
            raise NotScored(FallbackReason.MODEL_COLD_START)
        if self._child is None:
            raise NotScored(FallbackReason.CONNECTION_ERROR, "no scorer process")
        return await self._child.score(matrix, rows, budget_seconds)

    def condemn(self) -> None:
        """Kill the running process: what it says cannot be trusted. The keeper replaces it."""
        if self._child is not None:
            self._child.kill()

    async def _keep(self) -> None:
        """Replace the process when it is lost, with growing pauses while it keeps dying."""
        shortest = self._settings.restart_backoff_seconds
        pause = shortest
        while True:
            began = time.monotonic()
            await self._until_lost()
            if time.monotonic() - began > 10 * shortest:
                pause = shortest
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10 * shortest)
            with contextlib.suppress(OSError, NotScored, SnapshotRefused):
                await self._replace()

    async def _until_lost(self) -> None:
        while (child := self._child) is not None:
            if child.model_version is not None and child.waited > self._settings.hung_after_ms / 1000:
                log.warning("scorer_hung", pid=child.pid)
                child.kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):  # wait_for of Python 3.11 may swallow a cancellation
                    await child.lost.wait()
            if child.lost.is_set() and child is self._child:
                log.warning("scorer_lost", pid=child.pid)
                self._child = None
                await child.end()

    async def _replace(self) -> None:
        child = await self._raised(self._proven)
        self.restarts += 1
        if self._child is None:
            self._child = child
        else:  # a renewal was quicker
            await child.end()

    async def _renew(self) -> None:
        """Have a new process take over with the latest snapshot, whenever there is one."""
        while True:
            await self._renewal.wait()
            self._renewal.clear()
            snapshot = self._latest
            try:
                child = await self._with(snapshot)
            except SnapshotRefused as refused:
                self.refusal = str(refused)
                log.error("snapshot_refused", why=self.refusal)
            except (OSError, NotScored) as error:
                log.warning("scorer_not_renewed", why=repr(error))
                await asyncio.sleep(10 * self._settings.restart_backoff_seconds)
                self._renewal.set()
            else:
                log.info("snapshot_loaded", model_version=child.model_version)
                self.refusal, self._proven = None, snapshot
                old, self._child = self._child, child
                if old is not None and old is not child:
                    await old.retire(self._settings.hung_after_ms / 1000)

    async def _with(self, snapshot: bytes | None) -> ScorerChild:
        """A process with this snapshot: that which has none yet, else a new one. Raises as `_raised` does."""
        bare = self._child
        if snapshot is None or bare is None or bare.model_version is not None:
            return await self._raised(snapshot)
        await bare.load(snapshot, self._settings.start_timeout_seconds)
        return bare

    async def _raised(self, snapshot: bytes | None) -> ScorerChild:
        """A new process with this snapshot. Raises OSError, SnapshotRefused or NotScored, and then there is none."""
        child = await ScorerChild.spawn(self._nursery, self._settings.memory_mb)
        try:
            if snapshot is not None:
                await child.load(snapshot, self._settings.start_timeout_seconds)
            if self._fault is not None:
                child.misbehave(self._fault)
        except BaseException:
            await child.end()
            raise
        return child
