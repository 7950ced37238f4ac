"""Who has gone silent. Pure; the clock is passed in, and is the one of whoever listens.

Silence is told from a broker that is away by the listener's own heartbeat: up to the last that came back it would have
heard the others, and of what came after it knows nothing.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Silence:
    """Listens for the heartbeats of all, its own among them; `silent_after` in seconds."""

    own: str
    silent_after: float
    now: float  # when it began to listen
    _heard: dict[str, float] = field(default_factory=dict)
    _deaf_until: float = 0.0  # what was not heard before that could not be

    def __post_init__(self) -> None:
        self._heard[self.own] = self._deaf_until = self.now

    def heard(self, instance: str, now: float) -> None:
        """A heartbeat came in."""
        if instance == self.own and now - self._heard[self.own] > self.silent_after:
            self._deaf_until = now
        self._heard[instance] = now

    def gone(self, instance: str) -> None:
        """It ended as it should."""
        if instance != self.own:
            self._heard.pop(instance, None)

    def deaf(self, now: float) -> bool:
        """Whether nothing can be heard at all: the broker is away, or does not take or give records."""
        return now - self._heard[self.own] > self.silent_after

    def silent(self, now: float) -> dict[str, bool]:
        """Of each other process, whether it is silent; empty while nothing can be heard."""
        if self.deaf(now):
            return {}
        proved = self._heard[self.own]
        return {
            instance: proved - max(heard, self._deaf_until) > self.silent_after
            for instance, heard in self._heard.items()
            if instance != self.own
        }
