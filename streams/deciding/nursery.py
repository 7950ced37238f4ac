"""Where scorer processes come from, as the worker sees it: one nursery process, and whoever it has borne."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys

from streams.deciding.scorer_nursery import BORN, ORDER

START_SECONDS = 20.0  # it imports what a scorer needs
LOOK_SECONDS = 0.01  # between looks at a process of which the system gives no handle

# Each scorer computes on one processor, and what has one thread may fork.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Offspring:
    """A process that is no child of ours. By a handle where the system has one: its id may be another's afterwards.

    Raises OSError for the process id 0: the nursery had no room for one.
    """

    def __init__(self, pid: int) -> None:
        if pid == 0:
            raise OSError("no room for another process")
        self.pid = pid
        self._handle: int | None = None
        self._is_gone = False
        if sys.platform == "linux":
            try:
                self._handle = os.pidfd_open(pid)
            except ProcessLookupError:
                self._is_gone = True

    def kill(self) -> None:
        """End it at once."""
        if self._is_gone:
            return
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "linux" and self._handle is not None:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            else:
                os.kill(self.pid, signal.SIGKILL)

    async def gone(self) -> None:
        """Wait until nothing is left of it."""
        if self._is_gone:
            return
        if self._handle is None:
            await self._is_looked_for()
        else:
            await self._is_told_of(self._handle)
            os.close(self._handle)
            self._handle = None
        self._is_gone = True

    async def _is_told_of(self, handle: int) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(handle)

    async def _is_looked_for(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(self.pid, 0)
                await asyncio.sleep(LOOK_SECONDS)


class Nursery:
    """One for a worker. The first scorer that is wanted has its process started, and the next when it was lost."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def open(self) -> socket.socket:
        """Start its process, now; whoever can wait for its imports no better later does so. Raises OSError."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - and by no loop: a worker that waits for its turn has none
                    (
                        sys.executable,
                        "-m",
                        "streams.deciding.scorer_nursery",
                        str(theirs.fileno()),
                        str(os.getpid()),
                    ),
                    pass_fds=(theirs.fileno(),),
                    env={**os.environ, **ONE_THREAD},
                )
        except BaseException:
            ours.close()
            raise
        ours.settimeout(0.0)
        self._control = ours
        return ours

    async def bear(self, memory_mb: int) -> tuple[Offspring, socket.socket]:
        """A new scorer process that may take so much memory, and our end of the socket to it.

        Raises OSError where the machine has no room for one, or the nursery was lost: try again.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                async with self._turn:
                    control = self._control or self.open()
                    try:
                        pid = await self._asked(control, memory_mb, theirs)
                    except BaseException:  # cancelled, too: an answer that nobody has taken would be the next one's
                        await self.close()
                        raise
            return Offspring(pid), ours
        except BaseException:
            ours.close()
            raise

    async def close(self) -> None:
        """End it, and with it whoever it has borne."""
        process, self._process = self._process, None
        if self._control is not None:
            self._control.close()
            self._control = None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        try:
            await asyncio.to_thread(process.wait)
        except asyncio.CancelledError:  # it is killed: waiting takes no time, and leaving would leave a zombie
            process.wait()
            raise

    @staticmethod
    async def _asked(control: socket.socket, memory_mb: int, theirs: socket.socket) -> int:
        socket.send_fds(control, [ORDER.pack(memory_mb)], [theirs.fileno()])
        async with asyncio.timeout(START_SECONDS):
            answer = await asyncio.get_running_loop().sock_recv(control, BORN.size)
        if len(answer) != BORN.size:
            raise ConnectionResetError("the nursery was lost")
        pid: int = BORN.unpack(answer)[0]
        return pid
