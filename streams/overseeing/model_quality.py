"""How good scores and decisions were of late, day by day, by what payments turned out to be.

By samples: of each day on which labels have had their time, some payments of each quarter of it, whatever the rate is.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np

from models.curves import Bin, reliability
from models.daily import SECONDS_PER_DAY
from models.evaluation import average_precision, expected_calibration_error
from rules.appraisal import Judged, NothingToAppraise
from rules.decision import Outcome
from rules.worth import conduct
from streams.broker.reading import partitions_of, places_at, stretch
from streams.broker.topics import DECISIONS, Topic
from streams.overseeing.topic_history import TopicHistory
from streams.settings import Settings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

DAYS = 14
SLICES = 4  # of a day
MOST_IN_SLICE = 5_000  # decisions
MOST_LABELS = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DayQuality:
    """A day's payments, of those sampled; NaN where a measure has no meaning."""

    day: date
    payments: int
    frauds: int
    average_precision: float  # of those that were scored
    calibration_error: float
    recall: float  # frauds that were blocked or shown to a person
    block_precision: float  # frauds among blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelQuality:
    """What was measured, and when."""

    at: datetime
    days: tuple[DayQuality, ...]
    bins: tuple[Bin, ...]  # of all days: what scores said, and what payments were


async def measure(consumer: "AIOKafkaConsumer", settings: Settings, now: datetime) -> ModelQuality:
    """Read samples of the days before `now` on which labels have had their time. Raises NothingToAppraise."""
    history = TopicHistory(settings.labels)
    partitions = partitions_of(settings, DECISIONS.values())
    end = now.timestamp() - settings.learner.maturity_days * SECONDS_PER_DAY
    length = SECONDS_PER_DAY / SLICES
    begin = end - DAYS * SECONDS_PER_DAY
    most = -(-MOST_IN_SLICE // len(partitions))
    starts = await places_at(consumer, partitions, begin)
    for number in range(1, DAYS * SLICES + 1):
        bounds = await places_at(consumer, partitions, begin + number * length)
        ends = {each: min(bounds[each], starts[each] + most) for each in partitions}
        async for records in stretch(consumer, starts, ends):
            for record in records:
                history.take_decision(record.value)
        starts = bounds
    await _take_labels(consumer, settings, history, begin)
    judged, midnight, _ = history.judged(maturity_seconds=0.0)  # only what is old enough was read
    return await asyncio.to_thread(quality_of, judged, midnight, now)


async def _take_labels(consumer: "AIOKafkaConsumer", settings: Settings, history: TopicHistory, begin: float) -> None:
    partitions, read = partitions_of(settings, [Topic.LABELS]), 0
    starts = await places_at(consumer, partitions, begin)
    async for records in stretch(consumer, starts, await consumer.end_offsets(partitions)):
        for record in records:
            history.take_label(record.value)
        read += len(records)
        if read >= MOST_LABELS:
            raise NothingToAppraise(f"there are over {MOST_LABELS:,} labels to read: use `holdfast evaluate --topics`")


def quality_of(judged: Judged, midnight: float, at: datetime) -> ModelQuality:
    """Measure payments by their days; `midnight` is that of day 0, seconds since 1970. Pure."""
    day = (judged.seconds // SECONDS_PER_DAY).astype(int)
    scored = ~np.isnan(judged.probability)
    return ModelQuality(
        at=at,
        days=tuple(_day(judged, day == each, midnight + each * SECONDS_PER_DAY) for each in np.unique(day).tolist()),
        bins=tuple(reliability(judged.is_fraud[scored], judged.probability[scored])),
    )


def _day(judged: Judged, rows: "np.ndarray[tuple[int], np.dtype[np.bool_]]", begins: float) -> DayQuality:
    scored = rows & ~np.isnan(judged.probability)
    done = conduct([Outcome(each) for each in judged.outcome[rows].tolist()], judged.is_fraud[rows])
    return DayQuality(
        day=datetime.fromtimestamp(begins, UTC).date(),
        payments=int(rows.sum()),
        frauds=int(judged.is_fraud[rows].sum()),
        average_precision=average_precision(judged.is_fraud[scored], judged.probability[scored]),
        calibration_error=expected_calibration_error(judged.is_fraud[scored], judged.probability[scored]),
        recall=done.recall,
        block_precision=done.block_precision,
    )
