"""A fault proxy in a process of its own: beside the listener of a campaign it would be what slows the line down.

    python -m chaos.proxy_process <seed>

It says its port, and then does what it is told, one JSON object a line each way, until its input ends.
"""

import asyncio
import json
import os
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

import uvloop
from chaos.finding_chaos import with_chaos
from chaos.proxy import Applied, Bandwidth, BlackHole, Direction, Down, Fault, FaultProxy, Latency, ResetPeer, Slicer

FAULTS = {each.__name__: each for each in (Bandwidth, BlackHole, Down, Latency, ResetPeer, Slicer)}


class FarProxy:
    """A `FaultProxy` in another process, for as long as the block lasts; it ends with this process."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._process: Process
        self.port = 0  # where clients connect to

    async def lead_to(self, target_port: int) -> None:
        """Lead new connections there."""
        await self._tell(lead=target_port)

    @asynccontextmanager
    async def fault(self, fault: Fault, *, direction: Direction = Direction.BOTH) -> AsyncIterator[None]:
        """Have a fault for the block; one at a time."""
        await self._tell(apply=type(fault).__name__, facts=asdict(fault), direction=direction.value)
        try:
            yield
        finally:
            await self._tell(lift=True)

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "chaos.proxy_process", str(self._seed)),
            env=with_chaos(os.environ),
            stdin=PIPE,
            stdout=PIPE,
        )
        self.port = (await self._heard())["port"]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        await self._process.wait()

    async def _tell(self, **words: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        await self._process.stdin.drain()
        await self._heard()

    async def _heard(self) -> dict[str, Any]:
        """What it says. Raises ConnectionError if it says no more."""
        assert self._process.stdout
        line = await self._process.stdout.readline()
        if not line:
            raise ConnectionError("the fault proxy ended")
        told: dict[str, Any] = json.loads(line)
        return told


async def serve(seed: int) -> None:
    """Be the proxy."""
    told = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    applied: Applied | Down | None = None
    async with FaultProxy(rng=random.Random(seed)) as proxy:
        _say(port=proxy.port)
        while line := await told.readline():
            match json.loads(line):
                case {"lead": port}:
                    proxy.lead_to(port)
                case {"apply": name, "facts": facts, "direction": direction}:
                    applied = proxy.add(FAULTS[name](**facts), direction=Direction(direction))
                case {"lift": _} if applied is not None:
                    proxy.remove(applied)
                    applied = None
            _say(done=True)


def _say(**words: Any) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
