"""An evaluation: a file lived through, or topics read, and appraised."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.classifier import untaught
from models.family import Family
from models.warm_up import WarmUp, prequential
from rules.appraisal import (
    WARM_UP_DAYS,
    Appraisal,
    Judged,
    NothingToAppraise,
    appraise,
    weeks_of_all,
    weeks_to_test,
)
from rules.hindsight import Hindsight
from rules.policy import CostPolicy
from streams.operating.batch_rival import Training, retrained_daily
from streams.operating.labelled_file import read_labelled
from streams.operating.lived_file import Columns
from streams.operating.progress import counted
from streams.overseeing.topic_history import Coverage, read_topics
from streams.settings import Settings

DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What was found, and of what."""

    of: str  # a file's name, or the topics
    begin: float  # midnight of day 0, seconds since 1970
    appraisals: dict[str, Appraisal]  # by model, the product's first
    coverage: Coverage | None = None  # of decisions on topics

    @property
    def appraisal(self) -> Appraisal:
        """The product's own."""
        return next(iter(self.appraisals.values()))

    def date(self, day: int) -> str:
        """Of a day that measures count from `begin`."""
        return f"{datetime.fromtimestamp(self.begin + day * DAY, UTC):%Y-%m-%d}"

    def plain(self) -> dict[str, Any]:
        """For scripts: the product's measures at the top. What has no meaning is null."""
        rivals = {name: each.plain() for name, each in list(self.appraisals.items())[1:]}
        found = {"of": self.of, "test_day": self.appraisal.whole.first_day, **self.appraisal.plain(), "against": rivals}
        if self.coverage is not None:
            found["topics"] = asdict(self.coverage)
        plain: dict[str, Any] = _without_nan(found)
        return plain


@dataclass(frozen=True, slots=True)
class Span:
    """Days of a file, counted from midnight of `begin`, seconds since 1970."""

    begin: float
    from_day: int
    test_day: int | None
    label_delay: float

    def starting(self, first: float) -> "Span":
        """The same for a file that begins then: its first day may be long after day 0."""
        return Span(self.begin, max(self.from_day, int((first - self.begin) // DAY)), self.test_day, self.label_delay)

    @property
    def scored_from(self) -> float:
        """The first tested second."""
        day = self.from_day + WARM_UP_DAYS if self.test_day is None else self.test_day
        return self.begin + day * DAY


def of_file(
    file: Path,
    span: Span,
    policy: CostPolicy,
    family: Family,
    rival: Training | None,
    how: dict[str, Any],
    *,
    quiet: bool,
) -> Evaluation:
    """Live through a labelled file. `how` goes to `appraise`. Raises LabelledFileUnreadable and NothingToAppraise."""
    every = read_labelled(file, epoch=datetime.fromtimestamp(span.begin, UTC))
    payments = (each for each in every if each.at >= span.begin + span.from_day * DAY)
    first = next(payments, None)
    if first is None:
        raise NothingToAppraise(f"{file.name}: no payment from day {span.from_day} on")
    span = span.starting(first.at)
    warm_up = WarmUp(
        model=untaught(family),
        label_delay=span.label_delay * DAY,
        wanted=policy.wanted,
        levels=policy.error_levels,
    )
    columns = Columns(Hindsight(policy, warm_up.learner.model.track_record))
    if rival is not None:
        columns.keep_features = span.scored_from - (rival.days + rival.label_delay) * DAY
    lived = prequential(chain([first], payments), warm_up, score_from=span.scored_from)
    columns.take(counted(lived, "Learning and scoring", quiet=quiet))
    judged = columns.judged(span.begin)
    weeks = weeks_to_test(judged.seconds, first_day=span.test_day)
    appraisals = {"holdfast": appraise(judged, weeks, policy, **how)}
    if rival is not None:
        told = _rivals_word(columns.features(), judged, weeks, rival, quiet=quiet)
        appraisals["xgboost, daily"] = appraise(judged.rescored(told, policy), weeks, policy, **how)
    return Evaluation(of=file.name, begin=span.begin, appraisals=appraisals)


def _rivals_word(
    features: NDArray[np.float32], judged: Judged, weeks: Sequence[int], rival: Training, *, quiet: bool
) -> NDArray[np.float64]:
    """What it says of each payment; features are those of the last payments."""
    kept = slice(len(judged.seconds) - len(features), None)
    days = counted([day for week in weeks for day in range(week, week + 7)], "Training the rival", quiet=quiet)
    told = np.full(judged.probability.size, np.nan)
    told[kept] = retrained_daily(features, judged.is_fraud[kept], judged.seconds[kept], days, rival)
    return told


def of_topics(settings: Settings, since: float | None, test_day: int | None, how: dict[str, Any]) -> Evaluation:
    """Hold decisions against labels. Raises NothingToAppraise, TopicsWrong and what aiokafka raises."""
    history = asyncio.run(read_topics(settings, since=since))
    judged, begin, coverage = history.judged(maturity_seconds=settings.learner.maturity_days * DAY)
    weeks = weeks_of_all(judged.seconds) if test_day is None else weeks_to_test(judged.seconds, first_day=test_day)
    appraisal = appraise(judged, weeks, settings.policy, **how)
    return Evaluation(of="the topics", begin=begin, appraisals={"holdfast": appraisal}, coverage=coverage)


def _without_nan(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: _without_nan(value) for key, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [_without_nan(value) for value in plain]
    return None if isinstance(plain, float) and math.isnan(plain) else plain
