"""Runs the processes of a local installation: starts, watches and restarts them, and leaves none behind.

Each child is the leader of its own process group, on the leash that also holds the embedded Kafka: it dies with the
supervisor, however that ends. What it says goes to a log file of its own.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.supervising.child_process import ChildProcess, ending, spawn, tail
from streams.supervising.restarts import RestartPolicy, Restarts

GONE_SECONDS = 0.5  # the end of its pipe comes a moment before its exit code
SPARE_AFTER_SECONDS = 3.0  # once a child is ready: what it does first needs the processor more


class ChildNotReady(Exception):
    """A child ended or stayed silent instead of getting ready; the message has the end of its log."""


class State(StrEnum):
    """Where a child stands."""

    STARTING = "starting"
    READY = "ready"
    RESTING = "resting"  # it ended, and waits for its restart
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process to keep running."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    ready_within_seconds: float | None = None  # None: it is ready as soon as it runs
    spare: bool = False  # a second process waits for its turn, so that imports cost no time after an end


@dataclass(slots=True, kw_only=True)
class Kept:
    """A child and what became of it so far."""

    child: Child
    log: Path
    state: State = State.STARTING
    restarts: int = 0
    process: ChildProcess | None = None
    spare: ChildProcess | None = None
    started_at: float = 0.0  # monotonic
    keeper: "asyncio.Task[None] | None" = None

    @property
    def pid(self) -> int | None:
        """The leader of its process group while it runs."""
        return self.process.pid if self.process is not None and self.process.runs else None


Told = Callable[[str, str], None]  # a child's name, and what happened to it


def _say_nothing(_: str, __: str) -> None:
    pass


class Supervisor:
    """Keeps children running; leaving the block stops them, last started first, those started together together."""

    def __init__(
        self, logs: Path, *, policy: RestartPolicy | None = None, grace_seconds: float = 15.0, told: Told = _say_nothing
    ) -> None:
        self._logs = logs
        self._policy = policy or RestartPolicy()
        self._grace_seconds = grace_seconds
        self._told = told
        self._groups: list[list[Kept]] = []

    async def __aenter__(self) -> Self:
        """Nothing runs yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop everything."""
        await self.stop()

    def __iter__(self) -> Iterator[Kept]:
        """The children, first started first."""
        return chain.from_iterable(self._groups)

    async def start(self, *children: Child) -> None:
        """Start children side by side and return once all are ready. Raises ChildNotReady."""
        self._logs.mkdir(parents=True, exist_ok=True)
        kept = [Kept(child=child, log=self._logs / f"{child.name}.log") for child in children]
        self._groups.append(kept)
        for each in kept:
            each.log.write_bytes(b"")
        try:
            async with asyncio.TaskGroup() as starting:
                for each in kept:
                    starting.create_task(self._first_start(each))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def stop(self) -> None:
        """SIGTERM to each; SIGKILL to all of its process group if it outlasts its grace."""
        while self._groups:
            await asyncio.gather(*map(self._stop, self._groups[-1]))
            self._groups.pop()

    async def _first_start(self, kept: Kept) -> None:
        await self._run(kept)
        kept.keeper = asyncio.create_task(self._keep(kept), name=f"keeper of {kept.child.name}")

    async def _keep(self, kept: Kept) -> None:
        """Start it again, and again."""
        restarts = Restarts(self._policy)
        while kept.process is not None:
            code = await _ended(kept, kept.process)
            lived = time.monotonic() - kept.started_at
            pause = restarts.pause(lived_seconds=lived, exit_code=code)
            kept.state = State.RESTING
            self._told(kept.child.name, f"{ending(code)} after {lived:.1f} s; starts again in {pause:g} s")
            await asyncio.sleep(pause)
            kept.restarts += 1
            try:
                await self._run(kept)
            except (ChildNotReady, OSError) as error:  # the next round sees that it has ended
                self._told(kept.child.name, str(error).splitlines()[0])
            else:
                self._told(kept.child.name, f"is back after {time.monotonic() - kept.started_at:.1f} s")

    async def _run(self, kept: Kept) -> None:
        """Have a process and wait until it says that it is ready. One that does not is killed."""
        kept.state, kept.started_at = State.STARTING, time.monotonic()
        spare, kept.spare = kept.spare, None
        if spare is not None and not spare.go():
            await spare.end(0.0)
            spare = None
        kept.process = spare or await _spawn(kept, spare=False)
        if not await kept.process.is_ready(kept.child.ready_within_seconds):
            raise await _not_ready(kept, kept.process)
        kept.state = State.READY

    async def _stop(self, kept: Kept) -> None:
        if kept.keeper is not None:
            kept.keeper.cancel()
            await asyncio.gather(kept.keeper, return_exceptions=True)
        await asyncio.gather(
            *(each.end(self._grace_seconds) for each in (kept.process, kept.spare) if each is not None)
        )
        kept.state = State.STOPPED


async def _ended(kept: Kept, process: ChildProcess) -> int:
    """Wait for the end of a child, with a spare beside it where it shall have one; its exit code."""
    if kept.child.spare:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SPARE_AFTER_SECONDS):
                return await process.wait()
        kept.spare = await _spawn(kept, spare=True)
    return await process.wait()


async def _spawn(kept: Kept, *, spare: bool) -> ChildProcess:
    return await spawn(kept.child.command, kept.child.environment, kept.log, spare=spare)


async def _not_ready(kept: Kept, process: ChildProcess) -> ChildNotReady:
    """Say why, and make sure that nothing of it is left."""
    how = f"did not get ready within {kept.child.ready_within_seconds:g} s"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GONE_SECONDS):
            how = f"{ending(await process.wait())} before it was ready"
    await process.end(0.0)
    return ChildNotReady(f"{kept.child.name} {how}. The end of {kept.log}:\n{tail(kept.log)}")
