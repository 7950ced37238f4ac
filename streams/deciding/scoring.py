"""Whether the model's answer is used for a batch: the scorer link behind its circuit breaker."""

import asyncio
import contextlib
import time
from collections import deque
from datetime import datetime, timedelta
from math import inf
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import ArrayLike

from models.features import FEATURES
from rules.breaker import Breaker, BreakerState, BreakerTransition
from rules.decision import FallbackReason
from streams.deciding.scorer_child import NotScored, Scored
from streams.settings import ScorerSettings
from streams.wire.control import Force, ModeOrder

log = structlog.get_logger()

TRIAL_INTERVAL_SECONDS = 0.1
MOST_DURATIONS = 1000  # kept for whoever asks
IN_USE = (BreakerState.CLOSED, BreakerState.FORCED_CLOSED)
_FORCED = {Force.RULES: BreakerState.FORCED_OPEN, Force.MODEL: BreakerState.FORCED_CLOSED}


class Scorer(Protocol):
    """Who is asked for scores; `streams.deciding.scorer_link.ScorerLink` is one."""

    restarts: int  # processes that took the place of one that was lost

    async def score(self, matrix: bytes, rows: int, budget_seconds: float) -> Scored:
        """Score `rows` rows of float64 features within the budget, or raise NotScored."""

    def condemn(self) -> None:
        """Believe nothing more of what gives these answers. Does not wait."""


class Scoring:
    """Scores batches, or says in the decision's words why not.

    While the breaker is half-open the last batch seen is scored again in shadow: recovery needs no luck with traffic
    and no payment waits for a model on trial.
    """

    def __init__(self, link: Scorer, breaker: Breaker, settings: ScorerSettings) -> None:
        self._link = link
        self._breaker = breaker
        self._budget = settings.budget_ms / 1000
        self._slow_after = self._budget * settings.slow_after_share
        self._stale_after = timedelta(hours=settings.stale_after_hours)
        self._snapshot_time: datetime | None = None
        self._last_batch: tuple[bytes, int] | None = None
        self._trials: asyncio.Task[None] | None = None
        self._durations: deque[float] = deque(maxlen=MOST_DURATIONS)
        self._restarts = 0  # of the link, as far as the breaker knows
        self.successes = 0  # answers in time and sane, trials included
        self.failure: FallbackReason | None = None  # of the latest answer; None if it can be used

    @property
    def snapshot_created(self) -> float | None:
        """When the snapshot in use was made, seconds since 1970."""
        return self._snapshot_time.timestamp() if self._snapshot_time else None

    @property
    def state(self) -> BreakerState:
        """The breaker's state now."""
        return self._breaker.state(time.monotonic())

    @property
    def is_released(self) -> bool:
        """Whether the model is tried in shadow only because an operator had kept it out of use."""
        return self._breaker.is_released

    def start(self) -> None:
        """Begin trying a rested model in shadow."""
        self._trials = asyncio.create_task(self._try_in_shadow(), name="shadow trials")

    async def stop(self) -> None:
        """End the trials."""
        if self._trials is not None:
            self._trials.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._trials

    def obey(self, order: ModeOrder, now: datetime) -> None:
        """Keep the model in or out of use as the operator says, or let the breaker go on by itself."""
        begin = time.monotonic()
        left = (order.until - now).total_seconds() if order.until else inf
        if order.force is None or left <= 0:
            self._breaker.release(begin)
        else:
            self._breaker.force(_FORCED[order.force], begin, begin + left)
        log.warning("mode_ordered", force=order.force, who=order.who, why=order.why, until=order.until)

    def transitions(self) -> tuple[BreakerTransition, ...]:
        """What the breaker did since this was last asked."""
        return self._breaker.transitions()

    def durations(self) -> list[float]:
        """How long answers took since this was last asked, seconds."""
        told = list(self._durations)
        self._durations.clear()
        return told

    def snapshot_published(self, created_at: datetime) -> None:
        """Note how fresh the snapshot is that the link was given."""
        self._snapshot_time = created_at

    async def score(self, rows: ArrayLike, now: datetime) -> Scored:
        """Score feature rows within the budget; NotScored where the model is cold, stale, resting, late or wrong."""
        state = self.state
        stale = self._snapshot_time is not None and now - self._snapshot_time > self._stale_after
        if stale and state is not BreakerState.FORCED_CLOSED:
            raise NotScored(FallbackReason.MODEL_STALE)
        asked = np.asarray(rows, dtype="<f8")
        matrix = asked.tobytes()
        self._last_batch = matrix, len(asked)
        if state not in IN_USE:
            raise NotScored(FallbackReason.CIRCUIT_OPEN)
        return await self._ask(matrix, len(asked))

    async def _ask(self, matrix: bytes, rows: int) -> Scored:
        began = time.monotonic()
        try:
            scored = await self._link.score(matrix, rows, self._budget)
            self._check(scored, rows)
        except NotScored as failure:
            if failure.reason is not FallbackReason.MODEL_COLD_START:
                condemned = self.failure is FallbackReason.MODEL_INVALID_OUTPUT  # and none has answered since
                if not (condemned and failure.reason is FallbackReason.CONNECTION_ERROR):
                    self.failure = failure.reason  # else it was in hand when the scorer was killed for what it said
                poison = failure.reason is FallbackReason.MODEL_INVALID_OUTPUT
                self._breaker.failed(time.monotonic(), poison=poison)
            if failure.reason is FallbackReason.MODEL_INVALID_OUTPUT:
                self._link.condemn()
            raise
        now = time.monotonic()
        self._durations.append(now - began)
        self._breaker.succeeded(now, slow=now - began > self._slow_after)
        self.successes += 1
        self.failure = None
        return scored

    @staticmethod
    def _check(scored: Scored, rows: int) -> None:
        probabilities = scored.answer.probabilities
        if len(probabilities) != rows:
            raise NotScored(FallbackReason.MODEL_INVALID_OUTPUT, f"{len(probabilities)} answers to {rows} rows")
        if not bool(((probabilities >= 0.0) & (probabilities <= 1.0)).all()):  # false for NaN too
            raise NotScored(FallbackReason.MODEL_INVALID_OUTPUT, "a probability outside [0, 1]")
        if not np.isfinite(scored.answer.log_odds).all() or (scored.answer.features >= len(FEATURES)).any():
            raise NotScored(FallbackReason.MODEL_INVALID_OUTPUT, "a contribution of no feature, or not finite")
        p_values = scored.answer.p_values
        if not (((p_values > 0.0) & (p_values <= 1.0)).all() or np.isnan(p_values).all()):
            raise NotScored(FallbackReason.MODEL_INVALID_OUTPUT, "a p-value outside (0, 1], or missing")

    async def _try_in_shadow(self) -> None:
        while True:
            await asyncio.sleep(TRIAL_INTERVAL_SECONDS)
            if self._link.restarts != self._restarts:
                self._restarts = self._link.restarts
                self._breaker.renewed(time.monotonic())
            if self._last_batch and self._breaker.state(time.monotonic()) is BreakerState.HALF_OPEN:
                try:
                    await self._ask(*self._last_batch)
                except NotScored as failure:
                    log.info("shadow_trial_failed", reason=failure.reason)
