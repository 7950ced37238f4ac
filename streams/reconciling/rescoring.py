"""Has decisions scored again, by a scorer of its own, and makes revisions of the answers."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from aiokafka import TopicPartition

from rules.breaker import Breaker
from rules.decision import Decision, InputPosition
from rules.judgement import Judge
from rules.revision import Reviser, Revision, is_scorable
from streams.broker.follower import Follower
from streams.broker.topics import Topic, name_of
from streams.deciding.scorer_child import NotScored, Scored
from streams.deciding.scorer_link import ScorerLink
from streams.deciding.scoring import Scoring
from streams.settings import Settings
from streams.wire.codec import MalformedRecord
from streams.wire.control import MODE, read_order
from streams.wire.snapshot_record import champion_of, write_for_scorer

log = structlog.get_logger()

ASK_AGAIN_SECONDS = 0.5

Lain = tuple[Decision, InputPosition]  # a decision, and where it lay


class Rescorer:
    """Asks the model as a worker does, behind a breaker and by the operator's word, but in no hurry."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        unhurried = replace(settings.scorer, budget_ms=settings.scorer.hung_after_ms)
        self._link = ScorerLink(unhurried)
        self._scoring = Scoring(self._link, Breaker(settings.breaker, random.random), unhurried)
        takes = {Topic.MODELS: self._take_model, Topic.CONTROL: self._take_control}
        self._knowledge = Follower(
            settings=settings.broker, takes={name_of(topic, settings.topics): take for topic, take in takes.items()}
        )
        judge = Judge(costs=settings.policy, limits=settings.stand_in, safe_default=settings.safe_default)
        self._reviser = Reviser(judge=judge, settings_version=settings.version)

    async def start(self) -> None:
        """Start the scorer and give it the model that is in use."""
        await self._link.start()
        await self._knowledge.start(TopicPartition(name, 0) for name in self._knowledge.takes)
        self._scoring.start()

    async def stop(self) -> None:
        """End it all; what was not started, too."""
        await self._scoring.stop()
        await self._knowledge.stop()
        await self._link.stop()

    async def revised(self, decisions: Sequence[Lain]) -> list[Revision]:
        """A revision of each, no faster than settings allow; waits as long as there is no answer that can be used."""
        revisions = [
            self._reviser.unscorable(decision, place, datetime.now(UTC))
            for decision, place in decisions
            if not is_scorable(decision)
        ]
        scorable = [each for each in decisions if is_scorable(each[0])]
        most = self._settings.lanes.max_batch
        for batch in (scorable[first : first + most] for first in range(0, len(scorable), most)):
            began = time.monotonic()
            scored = await self._scored([decision.features for decision, _ in batch])
            now = datetime.now(UTC)
            for (decision, place), score in zip(batch, scored.scores(), strict=True):
                revisions.append(self._reviser.re_scored(decision, place, score, now))
            due = began + len(batch) / self._settings.reconciler.most_per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        return revisions

    async def _scored(self, rows: Sequence[Sequence[float]]) -> Scored:
        said = None
        while True:
            try:
                return await self._scoring.score(rows, datetime.now(UTC))
            except NotScored as failure:
                if failure.reason is not said:
                    log.warning("waits_for_the_model", reason=failure.reason)
                said = failure.reason
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    def _take_model(self, key: bytes, value: bytes | None) -> None:
        if (champion := champion_of(key, value)) is not None:
            self._scoring.snapshot_published(champion.created_at)
            self._link.load(write_for_scorer(champion))

    def _take_control(self, key: bytes, value: bytes | None) -> None:
        if key != MODE:
            return
        try:
            self._scoring.obey(read_order(value), datetime.now(UTC))
        except MalformedRecord as error:
            log.error("control_unreadable", error=str(error))
