"""What a network can do to a connection: faults as data, and what each makes of the bytes of one direction.

Nothing here does I/O or reads a clock: time is an argument, in seconds. The faults are toxiproxy's toxics
(https://github.com/Shopify/toxiproxy#toxics); where ours differ, the docstring says so.
"""

import math
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

PIECE_SECONDS = 0.1  # a throttled chunk goes on in pieces that take no longer, as in toxiproxy
CATCH_UP_SECONDS = 0.02  # idle time that a throttled line makes up for, so that a late timer costs no rate


class Stage:
    """What a fault holds back of one direction of one connection, in order, and until when. As it is: nothing.

    `reset_at` is when the connection is to be reset, `spent` that it is to close once what went on is delivered.
    """

    on_the_wire = False  # what it holds is under way, not in a buffer: it does not press back on the sender
    closes_on_removal = False

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, bytes]] = deque()
        self.held = 0  # bytes
        self.reset_at = math.inf
        self.spent = False

    def take(self, data: bytes, now: float) -> None:
        """Take in what has come this far."""
        self._hold(data, until=now)

    def release(self, now: float) -> Iterator[bytes]:
        """Let go of what may go on, never of anything before what came earlier."""
        while self._waiting and self._waiting[0][0] <= now:
            _, data = self._waiting.popleft()
            self.held -= len(data)
            yield data

    def due_at(self) -> float:
        """When to look again; infinity if there is nothing to wait for."""
        return min(self.reset_at, self._waiting[0][0] if self._waiting else math.inf)

    def _hold(self, data: bytes, *, until: float) -> None:
        self._waiting.append((until, data))
        self.held += len(data)


@dataclass(frozen=True, slots=True)
class Latency:
    """Each chunk comes `ms` later, plus or minus `jitter_ms`, in order; those behind it do not wait for it to leave."""

    ms: float
    jitter_ms: float = 0.0

    def __post_init__(self) -> None:
        _require(0 <= self.jitter_ms <= self.ms, "0 <= jitter_ms <= ms")

    def stage(self, dice: random.Random) -> Stage:
        return _Delaying(self, dice)


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """No more than `rate_kb` kilobytes (of 1,000 bytes) in a second."""

    rate_kb: float

    def __post_init__(self) -> None:
        _require(self.rate_kb > 0, "rate_kb > 0")

    def stage(self, dice: random.Random) -> Stage:
        return _Throttling(self)


@dataclass(frozen=True, slots=True)
class BlackHole:
    """Nothing arrives; connections stay open, also those made meanwhile. Toxiproxy's `timeout` of 0.

    Bytes that reach it are dropped, so the sender feels no pressure, and never come again: **on removal the
    connections that were in it are closed**, whether something was lost or not. As in toxiproxy, that a side ends
    its half does pass: who hangs up is gone for the other side too.
    """

    def stage(self, dice: random.Random) -> Stage:
        return _Dropping()


@dataclass(frozen=True, slots=True)
class ResetPeer:
    """Both sides see a reset (RST) `timeout_ms` after the first data that reaches it, which is not delivered.

    So downstream, the server has done what it was asked, and the client does not hear of it. Removed before, it
    lets go of what it held and nothing was lost; toxiproxy loses it.
    """

    timeout_ms: float = 0.0

    def __post_init__(self) -> None:
        _require(self.timeout_ms >= 0, "timeout_ms >= 0")

    def stage(self, dice: random.Random) -> Stage:
        return _Resetting(self)


@dataclass(frozen=True, slots=True)
class Slicer:
    """Chunks arrive in pieces of `average_size` bytes, give or take `size_variation`, `delay_us` between two."""

    average_size: int
    size_variation: int = 0
    delay_us: float = 0.0

    def __post_init__(self) -> None:
        _require(0 <= self.size_variation < self.average_size, "0 <= size_variation < average_size")
        _require(self.delay_us >= 0, "delay_us >= 0")

    def stage(self, dice: random.Random) -> Stage:
        return _Slicing(self, dice)


@dataclass(frozen=True, slots=True)
class LimitData:
    """The connection closes once so many bytes have passed, in each direction that it is applied to; no more do."""

    bytes: int

    def __post_init__(self) -> None:
        _require(self.bytes >= 0, "bytes >= 0")

    def stage(self, dice: random.Random) -> Stage:
        return _Limiting(self)


@dataclass(frozen=True, slots=True)
class Down:
    """Connections are refused and present ones closed, until it is removed. It knows no direction and no toxicity."""


LineFault = Latency | Bandwidth | BlackHole | ResetPeer | Slicer | LimitData
Fault = LineFault | Down


class _Delaying(Stage):
    on_the_wire = True

    def __init__(self, fault: Latency, dice: random.Random) -> None:
        super().__init__()
        self._fault, self._dice = fault, dice

    def take(self, data: bytes, now: float) -> None:
        delay_ms = self._fault.ms + self._dice.uniform(-self._fault.jitter_ms, self._fault.jitter_ms)
        self._hold(data, until=now + delay_ms / 1e3)


class _Throttling(Stage):
    def __init__(self, fault: Bandwidth) -> None:
        super().__init__()
        self._bytes_per_second = fault.rate_kb * 1e3
        self._free_at = -math.inf

    def take(self, data: bytes, now: float) -> None:
        size = max(1, int(self._bytes_per_second * PIECE_SECONDS))
        self._free_at = max(self._free_at, now - CATCH_UP_SECONDS)
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self._free_at += len(piece) / self._bytes_per_second
            self._hold(piece, until=self._free_at)


class _Dropping(Stage):
    closes_on_removal = True

    def take(self, data: bytes, now: float) -> None:
        pass


class _Resetting(Stage):
    def __init__(self, fault: ResetPeer) -> None:
        super().__init__()
        self._fault = fault

    def take(self, data: bytes, now: float) -> None:
        self.reset_at = min(self.reset_at, now + self._fault.timeout_ms / 1e3)
        self._hold(data, until=math.inf)


class _Slicing(Stage):
    def __init__(self, fault: Slicer, dice: random.Random) -> None:
        super().__init__()
        self._fault, self._dice = fault, dice
        self._free_at = -math.inf

    def take(self, data: bytes, now: float) -> None:
        self._free_at = max(self._free_at, now)
        start = 0
        while start < len(data):
            variation = self._dice.randint(-self._fault.size_variation, self._fault.size_variation)
            end = start + self._fault.average_size + variation
            self._hold(data[start:end], until=self._free_at)
            self._free_at += self._fault.delay_us / 1e6
            start = end


class _Limiting(Stage):
    def __init__(self, fault: LimitData) -> None:
        super().__init__()
        self._left = fault.bytes

    def take(self, data: bytes, now: float) -> None:
        passing = data[: self._left]
        self._left -= len(passing)
        self.spent = self._left == 0
        if passing:
            self._hold(passing, until=now)


def _require(holds: bool, condition: str) -> None:
    if not holds:
        raise ValueError(f"not {condition}")
