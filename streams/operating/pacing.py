"""Pacing: how many may be sent now."""


class TokenBucket:
    """Earns `rate` tokens a second, keeps those of at most `burst_seconds`; the rest of a long stall is forfeited.

    Time is an argument, in seconds of any clock that never goes back.
    """

    def __init__(self, rate: float, *, now: float, burst_seconds: float = 1.0) -> None:
        if not rate > 0.0:
            raise ValueError("a rate must be positive")
        self._rate = rate
        self._most = max(1.0, rate * burst_seconds)
        self._earned = 0.0
        self._at = now

    def take(self, now: float, most: int | None = None) -> int:
        """Take all whole tokens there are, or `most` of them."""
        self._earned = min(self._most, self._earned + (now - self._at) * self._rate)
        self._at = now
        taken = int(self._earned) if most is None else min(most, int(self._earned))
        self._earned -= taken
        return taken
