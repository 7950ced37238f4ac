"""How long a calm must last for something to be over: longer for what came back soon after it had been. Pure."""

RETURNS = 3.0  # each makes the next calm so many times as long


class Patience:
    """`seconds` of calm end it: `first`, and more with each return within `longest` of its end, up to `longest`.

    So what comes by turns is over a few times at most, and then only when it stays away. Once it stayed away for longer
    than `longest` all is forgotten. Where `longest` is below `first`, it is always `first`.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._ended_at: float | None = None
        self.seconds = first

    def begins(self, now: float) -> None:
        """It holds from now on."""
        if self._ended_at is None or now - self._ended_at > self._longest:
            self.seconds = self._first
        else:
            self.seconds = max(self._first, min(self._longest, RETURNS * self.seconds))

    def ends(self, now: float) -> None:
        """It is over."""
        self._ended_at = now
