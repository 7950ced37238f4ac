"""Which partitions nobody decides, by canaries that do not come back. Pure; the sender's clock is passed in.

A canary tells what a heartbeat does not: that a payment sent to this partition now is decided, and how long that takes.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class _Partition:
    flying: dict[str, float] = field(default_factory=dict)  # sent and not come back, by id, the earliest first
    took: float | None = None  # seconds, of the last that came back


class Canaries:
    """Sent one by one to each partition; `late_after` in seconds."""

    def __init__(self, partitions: int, *, late_after: float) -> None:
        self._partitions = {number: _Partition() for number in range(partitions)}
        self._late_after = late_after

    def sent(self, partition: int, canary: str, now: float) -> None:
        """One is on its way."""
        self._partitions[partition].flying[canary] = now

    def decided(self, partition: int, canary: str, now: float) -> None:
        """One came back; lanes keep the order, so what was sent before it will not come any more."""
        known = self._partitions.get(partition)
        if known is None or canary not in known.flying:
            return  # of an earlier watcher
        known.took = now - known.flying[canary]
        while (first := next(iter(known.flying))) != canary:
            del known.flying[first]
        del known.flying[canary]

    def lost(self, partition: int, canary: str) -> None:
        """It did not get to the partition."""
        self._partitions[partition].flying.pop(canary, None)

    def forget(self) -> None:
        """What was sent may never have arrived: nothing could be heard, and nothing is known."""
        for each in self._partitions.values():
            each.flying.clear()

    def late(self, now: float) -> tuple[int, ...]:
        """Partitions that nobody decides, or that come far behind."""
        return tuple(
            number
            for number, each in self._partitions.items()
            if each.flying and now - next(iter(each.flying.values())) > self._late_after
        )

    def took(self) -> dict[int, float]:
        """Seconds that the last canary of each partition was away, of those that one came back from."""
        return {number: each.took for number, each in self._partitions.items() if each.took is not None}
