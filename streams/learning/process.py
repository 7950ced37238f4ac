"""The learner process: decisions become examples, labels make lessons of them, lessons make snapshots."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from models.drift_watch import DriftSign
from models.examples import Lesson
from models.learner import Learner
from models.online import OnlineModel
from streams.alerting.announcer import Announcer
from streams.alerting.heart import Heart
from streams.alerting.outbox import Outbox
from streams.broker.clients import reader
from streams.broker.follower import Follower
from streams.broker.reading import begin_at, partitions_of, place
from streams.broker.topics import DECISIONS, Topic, name_of
from streams.learning.good_models import GoodModels
from streams.learning.memory import recall, taught
from streams.learning.publisher import Publisher
from streams.learning.study import Study
from streams.learning.succession import Step, Succession
from streams.lifetime import live
from streams.metrics.endpoint import expose
from streams.metrics.learner import LearnerMetrics
from streams.priority import give_way
from streams.ready_signal import tell_ready
from streams.settings import Settings
from streams.wire.codec import MalformedRecord
from streams.wire.control import MODEL, RollbackOrder, read_rollback

log = structlog.get_logger()

POLL_MS = 250  # longer than a fetch may wait: an empty poll means that there is nothing
FETCH_BYTES, FETCH_WAIT_MS = 1 << 18, 200  # in no hurry: else each batch of each lane costs the broker an answer
MOST_RECORDS = 2000  # in one poll: about 0.2 s of learning

LEARNER, DRIFT, CANDIDATE, ROLLBACK, SOURCES = "learner", "drift", "candidate", "rollback", "label-sources"

Take = Callable[[ConsumerRecord], Lesson | None]


class Barrier(NamedTuple):
    """Event time `now` may settle what silence settles once labels are read to `ends`: a report may lie below them."""

    now: float
    ends: Mapping[TopicPartition, int]


class LearnerProcess:
    """Reads decisions before labels, so that a label finds its example.

    The offsets are part of the snapshot, and both are published in one transaction with all that was learnt: after a
    restart each label is learnt exactly once relative to the snapshot. No consumer group: there is one learner, and a
    second one fences the first.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = LearnerMetrics()
        self._heart = Heart(settings, LEARNER)
        self._outbox = Outbox(settings, LEARNER)
        self._announcer = Announcer(settings, self._outbox)
        self._publisher = Publisher(settings, clock=lambda: datetime.now(UTC))
        control = name_of(Topic.CONTROL, settings.topics)
        self._control = Follower(settings=settings.broker, takes={control: self._take_control})
        self._order: RollbackOrder | None = None  # the latest
        self._barrier: Barrier | None = None
        self._study: Study
        self._succession: Succession
        self._decisions: AIOKafkaConsumer
        self._labels: AIOKafkaConsumer

    async def run(self) -> None:
        """Learn until cancelled; what was learnt since the last snapshot is learnt again by the next start."""
        metrics = self._settings.metrics
        port = expose(self._metrics.registry, metrics.host, metrics.learner_port)
        async with contextlib.AsyncExitStack() as opened:
            await self._publisher.start()
            opened.push_async_callback(self._publisher.stop)
            await self._heart.start()
            opened.push_async_callback(self._heart.stop)
            await self._outbox.start()
            opened.push_async_callback(self._outbox.stop)
            await self._open(opened)
            opened.push_async_callback(self._control.stop)
            await self._control.start(TopicPartition(name, 0) for name in self._control.takes)
            await self._announcer.start(each_tick=self._look)
            opened.push_async_callback(self._announcer.stop)
            labels = self._study.learner.model.labels
            log.info("learner_ready", metrics_port=port, labels=labels, waiting=self._study.waiting)
            tell_ready(LEARNER)
            while True:
                await self._round()

    def _take_control(self, key: bytes, value: bytes | None) -> None:
        if key != MODEL or value is None:
            return
        try:
            self._order = read_rollback(value)
        except MalformedRecord as error:
            log.error("control_unreadable", error=str(error))

    def _look(self) -> None:
        """Say what has moved, while it has."""
        signs = self._study.drift.signs
        self._metrics.drifts({sign.value: sign in signs for sign in DriftSign})
        self._announcer.look(DRIFT, "MODEL_DRIFTS", fails=bool(signs), evidence=self._study.evidence)
        if not signs:
            self._study.evidence.clear()
        went_back = self._succession.went_back
        self._announcer.look(ROLLBACK, "MODEL_ROLLED_BACK", fails=bool(went_back), evidence=went_back)
        verdict = self._study.guard.verdict
        evidence = {} if verdict.refusal is None else {"refusal": verdict.refusal.value, "why": verdict.why}
        evidence |= {name: f"{value:.4g}" for name, value in verdict.measured.items()}
        self._announcer.look(CANDIDATE, "CANDIDATE_REFUSED", fails=verdict.refusal is not None, evidence=evidence)
        self._look_at_sources()

    def _look_at_sources(self) -> None:
        silenced = self._study.labels.silenced
        self._metrics.silenced(len(silenced))
        evidence = {
            source.value: "all of its labels" if acceptor is None else f"fraud at {acceptor}"
            for source, acceptor in (each.speaker for each in silenced)
        }
        self._announcer.look(SOURCES, "LABEL_SOURCE_SILENCED", fails=bool(silenced), evidence=evidence)

    async def _open(self, opened: contextlib.AsyncExitStack) -> None:
        """Take up an earlier learner's state, and stand where it stood."""
        memory = await recall(self._settings)
        model = OnlineModel.from_snapshot(memory.snapshot) if memory.snapshot is not None else None
        learner = Learner(model, merchants=memory.merchants, card_fraud_at=memory.card_fraud_at)
        self._study = Study(
            self._settings.learner,
            learner,
            self._metrics,
            trust=self._settings.labels,
            costs=self._settings.policy,
            champion=memory.champion,
            taught=0 if memory.snapshot is None else taught(memory.snapshot),
        )
        good = GoodModels(every=timedelta(minutes=self._settings.learner.keep_model_minutes), kept=memory.good)
        self._succession = Succession(self._study, good, memory.champion_record)
        self._publisher.workers_know(memory.published_acceptors)
        state = memory.snapshot.label_offsets if memory.snapshot is not None else {}
        oldest = state.get("oldest", {})
        self._decisions = await self._reader(opened, tuple(DECISIONS.values()), oldest)
        self._labels = await self._reader(opened, (Topic.LABELS,), oldest)
        self._study.positions.mark(0)
        if "next" in state:
            await self._rebuild(state)

    async def _reader(
        self, opened: contextlib.AsyncExitStack, topics: tuple[Topic, ...], oldest: Mapping[str, int]
    ) -> AIOKafkaConsumer:
        consumer = reader(
            self._settings.broker,
            fetch_min_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=2 << 20,
        )
        opened.push_async_callback(consumer.stop)
        await consumer.start()
        beginnings = await consumer.beginning_offsets(partitions_of(self._settings, topics))
        begins = {each: max(oldest.get(place(each), 0), beginning) for each, beginning in beginnings.items()}
        begin_at(consumer, begins)
        self._study.positions.offsets |= {place(each): offset for each, offset in begins.items()}
        return consumer

    async def _rebuild(self, state: Mapping[str, Any]) -> None:
        """Hold the same examples as when the snapshot was taken: read their records again, discard the lessons."""
        self._study.expect(state)
        await self._read_again(self._decisions, self._study.take_decision, state["next"])
        await self._read_again(self._labels, self._study.take_label, state["next"])
        self._study.rebuilt(state)

    async def _read_again(self, consumer: AIOKafkaConsumer, take: Take, until: Mapping[str, int]) -> None:
        ends = {each: until.get(place(each), 0) for each in consumer.assignment()}
        while behind := [each for each, end in ends.items() if await consumer.position(each) < end]:
            for partition, records in (await consumer.getmany(*behind, timeout_ms=POLL_MS)).items():
                for record in records:
                    if record.offset < ends[partition]:
                        take(record)
            await asyncio.sleep(0)
        for partition, end in ends.items():
            start = max(end, self._study.positions.offsets[place(partition)])
            consumer.seek(partition, start)
            self._study.positions.offsets[place(partition)] = start

    async def _round(self) -> None:
        """Decisions to their end, then labels, then what matured once the labels of that time are read; a snapshot."""
        if self._order is not None and self._order.order_id != self._study.order:
            step = self._succession.obey(self._order)
            if step is not None:
                await self._publish(step)
        if not await self._drained(self._decisions, self._study.take_decision):
            return
        if self._barrier is None:
            ends = await self._labels.end_offsets(self._labels.assignment())
            self._barrier = Barrier(self._study.newest_event(), ends)
        await self._drained(self._labels, self._study.take_label)
        if all([await self._labels.position(each) >= end for each, end in self._barrier.ends.items()]):
            self._study.mature(self._barrier.now)
            self._barrier = None
        if self._study.snapshot_due():
            await self._publish(self._succession.next())

    async def _drained(self, consumer: AIOKafkaConsumer, take: Take) -> bool:
        """Read one poll's worth and learn from it; whether that was about all there is.

        Not to the last record: beyond what can be read lies, nearly always, some lane's open transaction.
        """
        polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=MOST_RECORDS)
        for partition, records in polled.items():
            for record in records:
                if (lesson := take(record)) is not None:
                    self._study.learn(lesson)
            self._study.positions.offsets[place(partition)] = records[-1].offset + 1
        await asyncio.sleep(0)
        return all(
            (consumer.highwater(partition) or 0) - records[-1].offset <= MOST_RECORDS
            for partition, records in polled.items()
        )

    async def _publish(self, step: Step) -> None:
        study = self._study
        changes = study.learner.changes()
        champion = await self._publisher.publish(
            study.learner,
            step.snapshot,
            changes,
            now=study.frontier,
            dead_letters=study.dead_letters,
            card_partitions=study.card_partitions,
            fit=step.fit,
            good=step.good,
        )
        self._succession.published(step, champion)
        study.dead_letters.clear()
        study.card_partitions.clear()
        self._metrics.published(goes_back=step.goes_back)
        log.info("snapshot_published", model_version=step.snapshot.model_version, acceptors=len(changes.acceptors))


def run(settings: Settings) -> None:
    """Run the learner until it is told to stop; exit 70 on anything it cannot know the state of."""
    give_way(10)  # payments are decided first
    live(LEARNER, lambda: LearnerProcess(settings).run())
