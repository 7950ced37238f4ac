"""How soon a child that ended is started again. Pure; times are arguments."""

from dataclasses import dataclass

from streams.crash import EXIT_INDEFINITE


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """Pauses before a restart, in seconds."""

    first_pause: float = 0.5  # doubled with each early death
    longest_pause: float = 10.0
    settled_after: float = 10.0  # having lived so long, the next death counts as the first, and no pause is made


class Restarts:
    """The deaths of one child."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._early_deaths = 0

    def pause(self, *, lived_seconds: float, exit_code: int) -> float:
        """How long to wait after this death. What had lived a while, or gave up by intent, comes back at once; but not
        what cannot even start.
        """
        was_settled = lived_seconds >= self._policy.settled_after
        if was_settled:
            self._early_deaths = 0
        self._early_deaths += 1
        if self._early_deaths == 1 and (was_settled or exit_code == EXIT_INDEFINITE):
            return 0.0
        doubled: float = self._policy.first_pause * 2.0 ** (self._early_deaths - 1)
        return min(doubled, self._policy.longest_pause)
