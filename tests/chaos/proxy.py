"""A TCP proxy on 127.0.0.1 that breaks connections in the ways that networks do: toxiproxy's, in this process."""

import asyncio
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from chaos.fault_chain import Ending
from chaos.faults import Bandwidth, BlackHole, Down, Fault, Latency, LimitData, LineFault, ResetPeer, Slicer
from chaos.proxied_connection import HOST, Applied, Direction, ProxiedConnection

__all__ = [
    "Applied",
    "Bandwidth",
    "BlackHole",
    "Direction",
    "Down",
    "Fault",
    "FaultProxy",
    "Latency",
    "LimitData",
    "LineFault",
    "ResetPeer",
    "Slicer",
]

BACKLOG = 1024


class FaultProxy:
    """Stands between clients and the server at `target_port` of 127.0.0.1, transparent but for the faults applied.

    Faults work on present and new connections, several in the order in which they were applied. Chance (toxicity,
    jitter, slices) comes from `rng`: the same seed, order of connections and of faults hits the same connections.
    Each direction of a connection holds 64 KiB at most, and what `Latency` has under way (32 MiB at most); the
    kernel's socket buffers come on top. Beyond that the sender waits. A half-close is passed on, a reset too.

    The port is open for clients from the beginning of the block to its end, whether the target is there or not:
    if it is not, connections are reset. At the end everything is closed. All calls belong to the block's loop.
    """

    def __init__(self, target_port: int | None = None, *, rng: random.Random) -> None:
        self._target_port = target_port
        self._rng = rng
        self._applied: list[Applied | Down] = []
        self.accepted = 0  # connections, since the beginning
        self._connections: dict[ProxiedConnection, None] = {}  # in the order they came
        self._listener: socket.socket | None = None
        self._claim: socket.socket | None = None

    @property
    def port(self) -> int:
        """Where clients connect to; it stays the same."""
        return int(self._opened().getsockname()[1])

    @property
    def connections(self) -> int:
        """How many are carried now."""
        return len(self._connections)

    @property
    def held(self) -> int:
        """Bytes held of all connections, but for one chunk each way that is being written."""
        return sum(connection.held for connection in self._connections)

    def lead_to(self, target_port: int) -> None:
        """Lead new connections there: a broker's port is known only after it was told the proxy's."""
        self._target_port = target_port

    @contextmanager
    def fault(
        self, fault: Fault, *, direction: Direction = Direction.BOTH, toxicity: float = 1.0
    ) -> Iterator[Applied | Down]:
        """Have a fault for the block."""
        applied = self.add(fault, direction=direction, toxicity=toxicity)
        try:
            yield applied
        finally:
            self.remove(applied)

    def add(self, fault: Fault, *, direction: Direction = Direction.BOTH, toxicity: float = 1.0) -> Applied | Down:
        """Have a fault until what this returns is removed. Raises ValueError for a part of `Down`."""
        if isinstance(fault, Down):
            if direction is not Direction.BOTH or toxicity != 1.0:
                raise ValueError("a proxy is down for everyone, both ways")
            self._applied.append(fault)
            self._go_down()
            return fault
        applied = Applied(fault, direction, toxicity)
        self._applied.append(applied)
        for connection in self._in_order():
            connection.apply(applied)
        return applied

    def remove(self, applied: Applied | Down) -> None:
        """Take a fault away. Raises ValueError if it is not there, or no longer."""
        self._applied.remove(applied)
        if isinstance(applied, Applied):
            for connection in self._in_order():
                connection.lift(applied)
        elif self._claim and not self._is_down():
            self._listen()

    async def __aenter__(self) -> Self:
        # Holds the port while nobody listens on it, so that clients are refused and no other process gets it.
        self._claim = _socket_at(0)
        if not self._is_down():
            self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tasks = [connection.task for connection in self._connections]
        self._go_down()
        self._opened().close()
        self._claim = None
        await asyncio.gather(*tasks, return_exceptions=True)

    def _opened(self) -> socket.socket:
        if self._claim is None:
            raise RuntimeError("the proxy is not open")
        return self._claim

    def _is_down(self) -> bool:
        return any(isinstance(applied, Down) for applied in self._applied)

    def _listen(self) -> None:
        self._listener = _socket_at(self.port)
        self._listener.listen(BACKLOG)
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _go_down(self) -> None:
        if self._listener:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for connection in self._in_order():
            connection.end(Ending.CLOSE)

    def _accept(self, listener: socket.socket) -> None:
        with ExitStack() as unless_both:
            try:
                server = unless_both.enter_context(socket.socket())
                client, _ = listener.accept()
            except OSError:  # gone already, or we are out of descriptors: the loop tells again of who still waits
                return
            unless_both.pop_all()
        client.setblocking(False)
        server.setblocking(False)
        self.accepted += 1
        connection = ProxiedConnection(client, server, self._target_port, random.Random(self._rng.getrandbits(64)))
        self._connections[connection] = None
        connection.task.add_done_callback(lambda _: self._connections.pop(connection))
        for applied in self._applied:
            if isinstance(applied, Applied):
                connection.apply(applied)

    def _in_order(self) -> list[ProxiedConnection]:
        return list(self._connections)


def _socket_at(port: int) -> socket.socket:
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    opened.setblocking(False)
    opened.bind((HOST, port))
    return opened
