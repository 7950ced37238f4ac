"""What is seen of a worker, gathered from batch to batch, and the mode that follows from it twice a second."""

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime

import structlog

from rules.decision import FallbackReason
from rules.mode import Limits, Mode, ModeChange, ModeMachine, ModeReason, Vitals
from streams.deciding.batch import Decided
from streams.deciding.lane_state import LaneState
from streams.deciding.scorer_link import ScorerLink
from streams.deciding.scoring import Scoring
from streams.settings import Settings

log = structlog.get_logger()

PERCENTILE = 0.95


class Health:
    """The mode of this worker. Call `decided` after each committed batch, and `look` twice a second."""

    def __init__(
        self,
        settings: Settings,
        scoring: Scoring,
        link: ScorerLink,
        *,
        lanes: Callable[[], Iterable[LaneState]],
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._scoring = scoring
        self._link = link
        self._lanes = lanes
        self._clock = clock
        self._monotonic = monotonic
        self._machine = ModeMachine(settings.mode, _limits(settings), now=monotonic())
        self._since = clock()
        self._ages: list[float] = []
        self._payments = self._rules_failed = 0
        self._labelled_at: float | None = None
        self._drifts = False

    @property
    def mode(self) -> Mode:
        """How far the model is trusted now."""
        return self._machine.mode

    @property
    def reason(self) -> ModeReason:
        """Why it is so."""
        return self._machine.reason

    @property
    def since(self) -> datetime:
        """Since when the mode is what it is."""
        return datetime.fromtimestamp(self._since, UTC)

    @property
    def withheld(self) -> FallbackReason | None:
        """Why no payment at all is to be the model's now, if none is."""
        return self._machine.withheld

    @property
    def doubts(self) -> Collection[ModeReason]:
        """All that speaks against the model now."""
        return self._machine.doubts

    def model_came(self, *, labelled_at: float | None, drifts: bool) -> None:
        """Its newest label is of that time, seconds since 1970 (None: nobody knows), and it shows drift or not."""
        self._labelled_at, self._drifts = labelled_at, drifts

    def decided(self, batch: Decided) -> None:
        """A batch is committed."""
        self._ages += batch.ages
        self._payments += len(batch.ages)
        self._rules_failed += batch.rules_failed

    def look(self) -> ModeChange | None:
        """Take in what was seen since the last look; the change of mode that it makes, if any."""
        change = self._machine.look(self._vitals(), self._monotonic())
        self._ages, self._payments, self._rules_failed = [], 0, 0
        if change is not None:
            self._since = self._clock()
            log.warning(
                "mode_changed",
                before=change.before,
                after=change.after,
                reason=change.reason,
                lasted_seconds=round(change.lasted_seconds, 3),
                evidence=change.evidence,
            )
        return change

    def _vitals(self) -> Vitals:
        now = self._monotonic()
        behind = [lane.gate.is_behind(lane.lag, now) for lane in self._lanes()]
        created, labelled = self._scoring.snapshot_created, self._labelled_at
        return Vitals(
            breaker=self._scoring.state,
            released=self._scoring.is_released,
            scorer_alive=self._link.alive,
            has_snapshot=self._link.has_snapshot,
            snapshot_age_seconds=None if created is None else self._clock() - created,
            label_age_seconds=None if labelled is None else self._clock() - labelled,
            drifts=self._drifts,
            scoring_seconds=_high(self._scoring.durations()),
            age_seconds=_high(self._ages),
            rules_failed_share=self._rules_failed / self._payments if self._payments else None,
            lanes=len(behind),
            lanes_behind=sum(behind),
        )


def _limits(settings: Settings) -> Limits:
    scorer, deadline = settings.scorer, settings.deadline
    return Limits(
        slow=scorer.budget_ms * scorer.slow_after_share / 1000,
        old=(deadline.deadline_ms - deadline.reserve_ms) / 1000,
        stale=scorer.stale_after_hours * 3600,
    )


def _high(values: list[float]) -> float | None:
    """The 95th percentile; None of nothing."""
    return sorted(values)[int(PERCENTILE * (len(values) - 1))] if values else None
