"""One direction of one connection: bytes go in, through the faults in the order they were applied, and out."""

import math
from collections import deque
from enum import Enum
from typing import Generic, TypeVar

from chaos.faults import Stage

CHUNK_BYTES = 16 * 1024  # the most that is put in at once
ROOM_BYTES = 32 * 1024  # no more is put in above it: with a chunk coming in and one going out, 64 KiB are held
WIRE_BYTES = 32 * 1024 * 1024  # the most under way for latency; toxiproxy's 1,024 chunks of 32 KiB

Key = TypeVar("Key")


class Ending(Enum):
    """How a direction, or the connection, ends."""

    HALF = "half"  # the sender has ended its half, and all it sent is delivered
    CLOSE = "close"
    RESET = "reset"


class FaultChain(Generic[Key]):
    """Faults at work on a stream of bytes, each under the key it was added with. No I/O; time is an argument.

    What it holds is bounded as long as nothing is put in without room.
    """

    def __init__(self) -> None:
        self._stages: dict[Key, Stage] = {}
        self._out: deque[bytes] = deque()
        self._out_bytes = 0
        self._ended = False
        self._closing = False
        self._reset = False

    @property
    def held(self) -> int:
        """Bytes that went in and are neither out nor dropped."""
        return self._out_bytes + sum(stage.held for stage in self._stages.values())

    def has_room(self) -> bool:
        """Whether more may be put in."""
        under_way = sum(stage.held for stage in self._stages.values() if stage.on_the_wire)
        return self.held - under_way < ROOM_BYTES and under_way < WIRE_BYTES

    def put(self, data: bytes, now: float) -> None:
        """What the sender sent."""
        if not self._closing:
            self._take(list(self._stages.values()), data, now)
            self.advance(now)

    def end(self) -> None:
        """The sender sends no more."""
        self._ended = True

    def advance(self, now: float) -> None:
        """Let go on what is due."""
        stages = list(self._stages.values())
        for place, stage in enumerate(stages):
            self._reset |= stage.reset_at <= now
            for data in stage.release(now):
                self._take(stages[place + 1 :], data, now)
            if stage.spent and not self._closing:
                self._close_after(stage)

    def due_at(self) -> float:
        """When to advance next; infinity if nothing is due by itself."""
        return min((stage.due_at() for stage in self._stages.values()), default=math.inf)

    def pop(self) -> bytes | None:
        """The next bytes for the receiver."""
        if not self._out:
            return None
        data = self._out.popleft()
        self._out_bytes -= len(data)
        return data

    def ending(self) -> Ending | None:
        """How it ends, if it is time: a reset at once, all else when everything held is out."""
        if self._reset:
            return Ending.RESET
        if self.held:
            return None
        if self._closing:
            return Ending.CLOSE
        return Ending.HALF if self._ended else None

    def add(self, key: Key, stage: Stage) -> None:
        """A further fault, behind those that there are."""
        self._stages[key] = stage

    def remove(self, key: Key, now: float) -> bool:
        """Take a fault out; what it held goes on at once. Whether the connection must close for what it dropped."""
        if key not in self._stages:
            return False
        behind = list(self._stages.values())[list(self._stages).index(key) + 1 :]
        removed = self._stages.pop(key)
        for data in removed.release(math.inf):
            self._take(behind, data, now)
        self.advance(now)
        return removed.closes_on_removal

    def _take(self, stages: list[Stage], data: bytes, now: float) -> None:
        if stages:
            stages[0].take(data, now)
        else:
            self._out.append(data)
            self._out_bytes += len(data)

    def _close_after(self, spent: Stage) -> None:
        """What has not come as far as the stage that is spent never will."""
        self._closing = True
        for key, stage in list(self._stages.items()):
            if stage is spent:
                return
            del self._stages[key]
