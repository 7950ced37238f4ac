"""One process of a child: on the leash, ready when it says so, and waiting for its turn first if it is a spare."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from pathlib import Path

from streams.broker import leash
from streams.ready_signal import READY_FD
from streams.turn import TURN_FD

TAIL_LINES = 15
EXIT_BY_SIGNAL = 192  # an exit code of the leash above this is 256 less the signal that ended the child


class ChildProcess:
    """Made by `spawn`. It is the leader of a process group of its own; every end of it is waited for."""

    def __init__(self, process: Process, ready: int, turn: int | None) -> None:
        self._process = process
        self._ready: int | None = ready
        self._turn = turn

    @property
    def pid(self) -> int:
        """The leader of its process group."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    def go(self) -> bool:
        """Give a spare its turn; whether it was there to take it."""
        if self._turn is None or not self.runs:
            return False
        turn, self._turn = self._turn, None
        try:
            os.write(turn, b"\n")
        except OSError:  # it ended a moment ago
            return False
        finally:
            os.close(turn)
        return True

    async def is_ready(self, within_seconds: float | None) -> bool:
        """Whether it says so in time; the end of the pipe without a word means that it is gone. None: it need not."""
        if within_seconds is None or self._ready is None:
            return within_seconds is None
        loop, ready = asyncio.get_running_loop(), self._ready
        heard: asyncio.Future[bool] = loop.create_future()

        def hear() -> None:
            loop.remove_reader(ready)
            heard.set_result(bool(os.read(ready, 1024)))

        loop.add_reader(ready, hear)
        try:
            async with asyncio.timeout(within_seconds):
                return await heard
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(ready)

    async def wait(self) -> int:
        """Wait for its end; nothing is left then of it and of its own children. The exit code of its leash."""
        code = await self._process.wait()
        self.kill()
        for pipe in filter(None, (self._ready, self._turn)):
            os.close(pipe)
        self._ready = self._turn = None
        return code

    async def end(self, grace_seconds: float) -> None:
        """SIGTERM to it; SIGKILL to all of its process group if it outlasts its grace."""
        try:
            if self.runs:
                self._process.terminate()  # the leash passes it on, to the child alone
                await asyncio.wait_for(self._process.wait(), grace_seconds)
        except TimeoutError:
            pass
        finally:
            self.kill()
        await self.wait()

    def kill(self) -> None:
        """Kill what is left of it and of its own children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


async def spawn(command: tuple[str, ...], environment: Mapping[str, str], log: Path, *, spare: bool) -> ChildProcess:
    """Start a process whose words are added to `log`. A spare waits for `go`. Raises OSError."""
    ready, say_ready = os.pipe()
    hear_turn, turn = os.pipe() if spare else (None, None)
    theirs = list(filter(None, (say_ready, hear_turn)))
    signals = {READY_FD: str(say_ready)} | ({TURN_FD: str(hear_turn)} if spare else {})
    leashed = (sys.executable, "-I", "-S", str(leash.__file__), str(os.getpid()), *command)
    try:
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *leashed,
                stdin=DEVNULL,
                stdout=file,
                stderr=file,
                env={**environment, **signals},
                pass_fds=theirs,
                start_new_session=True,  # Ctrl-C is for the supervisor: it stops its children in order
            )
    except BaseException:
        for pipe in filter(None, (ready, turn)):
            os.close(pipe)
        raise
    finally:
        for pipe in theirs:
            os.close(pipe)
    return ChildProcess(process, ready, turn)


def ending(code: int) -> str:
    """What an exit code of a leash says, in words."""
    number = 256 - code if code > EXIT_BY_SIGNAL else -code
    return f"was killed by signal {number}" if number > 0 else f"ended with {code}"


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log."""
    written = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(f"  {line}" for line in written) or "  (it said nothing)"
