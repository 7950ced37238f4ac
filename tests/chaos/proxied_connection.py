"""A client's connection and the one to the server that stands behind it, with faults between them."""

import asyncio
import math
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Flag

from chaos.fault_chain import CHUNK_BYTES, Ending, FaultChain
from chaos.faults import LineFault

HOST = "127.0.0.1"
NO_LINGER = struct.pack("ii", 1, 0)  # a close sends RST, and drops what is unsent


class Direction(Flag):
    """Which way bytes go; upstream is from the client to the server."""

    UPSTREAM = 1
    DOWNSTREAM = 2
    BOTH = 3


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """A fault in force on the line; toxicity is the probability that a connection is hit."""

    fault: LineFault
    direction: Direction
    toxicity: float


class ProxiedConnection:
    """Carries bytes both ways from its making until both halves have ended, one side breaks, or it is ended.

    If one side is reset or cannot be reached, the other is reset at once, and what is held is lost. `server` is not
    connected yet. Both sockets are closed once the task is done.
    """

    def __init__(
        self, client: socket.socket, server: socket.socket, target_port: int | None, dice: random.Random
    ) -> None:
        self._client, self._server = client, server
        self._dice = dice
        self._flows = {
            Direction.UPSTREAM: _Flow(self, client, self._server),
            Direction.DOWNSTREAM: _Flow(self, self._server, client),
        }
        self._ending: Ending | None = None
        self.task = asyncio.get_running_loop().create_task(self._carry(target_port))
        self.task.add_done_callback(self._close)  # a task that is cancelled before it starts runs no `finally`

    @property
    def held(self) -> int:
        """Bytes held of both directions."""
        return sum(flow.chain.held for flow in self._flows.values())

    def apply(self, applied: Applied) -> None:
        """Let a fault work on it, if chance has it."""
        if self._dice.random() < applied.toxicity:
            for flow in self._meant(applied):
                flow.chain.add(applied, applied.fault.stage(random.Random(self._dice.getrandbits(64))))

    def lift(self, applied: Applied) -> None:
        """Take a fault away, if it works here."""
        now = asyncio.get_running_loop().time()
        for flow in self._meant(applied):
            if flow.chain.remove(applied, now):
                self.end(Ending.CLOSE)
            flow.stir()

    def end(self, ending: Ending) -> None:
        """Close or reset both sides; the first word counts."""
        if self._ending is None:
            self._ending = ending
            self.task.cancel()

    def _meant(self, applied: Applied) -> Iterator["_Flow"]:
        return (flow for direction, flow in self._flows.items() if direction in applied.direction)

    async def _carry(self, target_port: int | None) -> None:
        try:
            if target_port is None:
                raise ConnectionRefusedError("it leads nowhere yet")
            await asyncio.get_running_loop().sock_connect(self._server, (HOST, target_port))
            for each in (self._client, self._server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.TaskGroup() as group:
                for flow in self._flows.values():
                    group.create_task(flow.read())
                    group.create_task(flow.write())
        except* OSError:
            self._ending = self._ending or Ending.RESET

    def _close(self, _: "asyncio.Task[None]") -> None:
        for flow in self._flows.values():
            flow.stop()
        for each in (self._client, self._server):
            if self._ending is Ending.RESET:
                with suppress(OSError):  # it is gone already
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            each.close()


class _Flow:
    """One direction: a task that reads while there is room, one that writes what is out, and a timer between them."""

    def __init__(self, connection: ProxiedConnection, source: socket.socket, sink: socket.socket) -> None:
        self.chain: FaultChain[Applied] = FaultChain()
        self._connection, self._source, self._sink = connection, source, sink
        self._loop = asyncio.get_running_loop()
        self._room, self._news = asyncio.Event(), asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def read(self) -> None:
        while data := await self._loop.sock_recv(self._source, CHUNK_BYTES):
            self.chain.put(data, self._loop.time())
            self.stir()
            await asyncio.sleep(0)  # a read that need not wait lets nobody else run
            while not self.chain.has_room():
                self._room.clear()
                await self._room.wait()
        self.chain.end()
        self.stir()

    async def write(self) -> None:
        while (ending := self.chain.ending()) is None:
            while data := self.chain.pop():
                await self._loop.sock_sendall(self._sink, data)
                self._room.set()
            if self.chain.ending() is None:
                self._news.clear()
                await self._news.wait()
        if ending is Ending.HALF:
            self._sink.shutdown(socket.SHUT_WR)
        else:
            self._connection.end(ending)

    def stir(self) -> None:
        """Move on what is due, wake who waits for it, and come back when more is."""
        self.stop()
        self.chain.advance(self._loop.time())
        if self.chain.ending() is Ending.RESET:  # also if the writer is stuck
            self._connection.end(Ending.RESET)
            return
        self._news.set()
        self._room.set()
        due_at = self.chain.due_at()
        if due_at < math.inf:
            self._timer = self._loop.call_at(due_at, self.stir)

    def stop(self) -> None:
        """Come back no more."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
