"""The story that the demo tells: cold start, a model, the model slow, the model well again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rules.decision import DecisionSource
from streams.operating.demo_facts import Facts

COLD, BEFORE, DURING, AFTER = "cold start", "before", "slow spell", "after"
TITLES = {
    COLD: "Cold start: nothing is learnt, rules decide",
    BEFORE: "The first model is learnt, the model decides",
    DURING: "The model is slow, rules decide",
    AFTER: "The model is well again, the model decides",
}

MODEL_DECIDES = 0.9  # of the decisions: from this share on
GLANCE_SECONDS = 0.1

Clock = Callable[[], float]  # seconds since 1970
SetDelay = Callable[[int], Awaitable[None]]  # milliseconds that the model takes longer for each batch


class StoryStuck(Exception):
    """Something did not happen in time: what was waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How long each chapter lasts, in seconds, and how long its turn may take to come."""

    before_seconds: float = 10.0
    slow_seconds: float = 12.0
    after_seconds: float = 6.0
    delay_ms: int = 200
    patience_seconds: float = 60.0


async def tell(facts: Facts, script: Script, set_delay: SetDelay, clock: Clock = time.time) -> None:
    """Go through the chapters; each begins in `facts.tally`. Raises StoryStuck."""

    async def until(holds: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(script.patience_seconds):
                while not holds():
                    await asyncio.sleep(GLANCE_SECONDS)
                    facts.recent.forget(clock())
        except TimeoutError:
            raise StoryStuck(f"waited {script.patience_seconds:g} s for {what}") from None

    facts.tally.begin(COLD, clock())
    await until(lambda: facts.recent.by_source[DecisionSource.MODEL] > 0, "a first model")
    facts.tally.begin(BEFORE, clock())
    await asyncio.sleep(script.before_seconds)
    await until(lambda: _all_is_well(facts), "a model that decides steadily")
    await set_delay(script.delay_ms)
    facts.tally.begin(DURING, clock())
    await asyncio.sleep(script.slow_seconds)
    await set_delay(0)
    facts.tally.begin(AFTER, clock())
    await until(lambda: _all_is_well(facts), "the model's recovery and its alert's end")
    await asyncio.sleep(script.after_seconds)


def _all_is_well(facts: Facts) -> bool:
    return facts.recent.model_share >= MODEL_DECIDES and facts.scorer_is_well
