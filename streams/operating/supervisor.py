"""Runs the processes of a local installation: starts, watches and restarts them, and leaves none behind.

Each child is the leader of its own process group, on the leash that also holds the embedded Kafka: it dies with the
supervisor, however that ends. What it says goes to a log file of its own.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.broker import leash
from streams.operating.restarts import RestartPolicy, Restarts
from streams.ready_signal import READY_FD

TAIL_LINES = 15
EXIT_BY_SIGNAL = 192  # an exit code of the leash above this is 256 less the signal that ended the child


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


@dataclass(slots=True, kw_only=True)
class Kept:
    """A child and what became of it so far."""

    child: Child
    log: Path
    state: State = State.STARTING
    restarts: int = 0
    process: Process | None = None
    started_at: float = 0.0  # monotonic
    keeper: "asyncio.Task[None] | None" = None

    @property
    def pid(self) -> int | None:
        """The leader of its process group while it runs."""
        return self.process.pid if self.process is not None and self.process.returncode is None else None


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
            code = await kept.process.wait()
            _kill_group(kept.process)
            lived = time.monotonic() - kept.started_at
            pause = restarts.pause(lived_seconds=lived, exit_code=code)
            kept.state = State.RESTING
            self._told(kept.child.name, f"{_ending(code)} after {lived:.1f} s; starts again in {pause:g} s")
            await asyncio.sleep(pause)
            kept.restarts += 1
            try:
                await self._run(kept)
            except (ChildNotReady, OSError) as error:  # the next round sees that it has ended
                self._told(kept.child.name, str(error).splitlines()[0])
            else:
                self._told(kept.child.name, f"is back after {time.monotonic() - kept.started_at:.1f} s")

    async def _run(self, kept: Kept) -> None:
        """Start the process and wait until it says that it is ready. One that does not is killed."""
        listening, speaking = os.pipe()
        try:
            kept.state, kept.started_at = State.STARTING, time.monotonic()
            kept.process = await _spawn(kept, speaking)
        except BaseException:
            os.close(listening)
            raise
        finally:
            os.close(speaking)
        with os.fdopen(listening, "rb") as pipe:
            if not await _is_ready(pipe.fileno(), kept.child.ready_within_seconds):
                raise await _not_ready(kept)
        kept.state = State.READY

    async def _stop(self, kept: Kept) -> None:
        if kept.keeper is not None:
            kept.keeper.cancel()
            await asyncio.gather(kept.keeper, return_exceptions=True)
        if kept.process is not None:
            await _end(kept.process, self._grace_seconds)
        kept.state = State.STOPPED


async def _spawn(kept: Kept, speaking: int) -> Process:
    leashed = (sys.executable, "-I", "-S", str(leash.__file__), str(os.getpid()), *kept.child.command)
    with kept.log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *leashed,
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            env={**kept.child.environment, READY_FD: str(speaking)},
            pass_fds=(speaking,),
            start_new_session=True,  # Ctrl-C is for the supervisor: it stops its children in order
        )


async def _is_ready(pipe: int, within_seconds: float | None) -> bool:
    """Whether a line comes through the pipe in time; its end without one means that the process is gone."""
    if within_seconds is None:
        return True
    loop = asyncio.get_running_loop()
    heard: asyncio.Future[bool] = loop.create_future()

    def hear() -> None:
        loop.remove_reader(pipe)
        heard.set_result(bool(os.read(pipe, 1024)))

    loop.add_reader(pipe, hear)
    try:
        async with asyncio.timeout(within_seconds):
            return await heard
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(pipe)


async def _not_ready(kept: Kept) -> ChildNotReady:
    """Say why, and make sure that nothing of it is left."""
    process = kept.process
    if process is None:
        return ChildNotReady(f"{kept.child.name} was not started.")
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), 0.5)  # the pipe's end comes a moment before the exit code
    how = (
        f"did not get ready within {kept.child.ready_within_seconds:g} s"
        if process.returncode is None
        else f"{_ending(process.returncode)} before it was ready"
    )
    _kill_group(process)
    await process.wait()
    return ChildNotReady(f"{kept.child.name} {how}. The end of {kept.log}:\n{tail(kept.log)}")


async def _end(process: Process, grace_seconds: float) -> None:
    try:
        if process.returncode is None:
            process.terminate()  # the leash passes it on, to the child alone
            await asyncio.wait_for(process.wait(), grace_seconds)
    except TimeoutError:
        pass
    finally:
        _kill_group(process)
    await process.wait()


def _kill_group(process: Process) -> None:
    """Kill what is left of a child and of its own children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _ending(code: int) -> str:
    number = 256 - code if code > EXIT_BY_SIGNAL else -code
    return f"was killed by signal {number}" if number > 0 else f"ended with {code}"


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log."""
    written = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(f"  {line}" for line in written) or "  (it said nothing)"
