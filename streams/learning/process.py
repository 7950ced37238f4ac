"""The learner process: decisions become examples, labels make lessons of them, lessons make snapshots."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from models.classifier import Classifier, family_of, goes_on, restored, untaught
from models.drift_watch import DriftSign
from models.examples import Lesson
from models.learner import Learner
from models.snapshot import Snapshot
from streams.alerting.announcer import Announcer
from streams.alerting.heart import Heart
from streams.alerting.outbox import Outbox
from streams.broker.clients import reader
from streams.broker.follower import Follower
from streams.broker.reading import Offsets, begin_at, behind, partitions_of, place
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
from streams.wire.control import MODEL, ModelOrder, read_model_order

log = structlog.get_logger()

POLL_MS = 250  # longer than a fetch may wait
FETCH_BYTES, FETCH_WAIT_MS = 1 << 18, 200  # in no hurry: else each batch of each lane costs the broker an answer
MOST_RECORDS = 2000  # in one poll: about 0.2 s of learning

LEARNER, DRIFT, CANDIDATE, ROLLBACK, SOURCES = "learner", "drift", "candidate", "rollback", "label-sources"

Take = Callable[[ConsumerRecord], Lesson | None]
Records = dict[TopicPartition, list[ConsumerRecord]]


class Stretch(NamedTuple):
    """What to read before the next: first the decisions, then the labels that there were before them.

    So whatever a label is about is read before it. Event time `now`, of before the ends of labels were asked for, may
    settle what silence settles once they are read: a report may lie below them.
    """

    now: float
    labels: Offsets
    decisions: Offsets


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
        self._order: ModelOrder | None = None  # the latest
        self._stretch: Stretch | None = None
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
            give_way(10)  # until here it gives way less: whoever was away is to be back soon
            while True:
                await self._round()

    def _take_control(self, key: bytes, value: bytes | None) -> None:
        if key != MODEL or value is None:
            return
        try:
            self._order = read_model_order(value)
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
        learner = Learner(self._model(memory.snapshot), merchants=memory.merchants, card_fraud_at=memory.card_fraud_at)
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
        self._succession = Succession(self._study, good, memory.champion_record, refused=memory.refused)
        self._publisher.workers_know(memory.published_acceptors)
        state = memory.snapshot.label_offsets if memory.snapshot is not None else {}
        oldest = state.get("oldest", {})
        self._decisions = await self._reader(opened, tuple(DECISIONS.values()), oldest)
        self._labels = await self._reader(opened, (Topic.LABELS,), oldest)
        self._study.positions.mark(0)
        if "next" in state:
            await self._rebuild(state)

    def _model(self, snapshot: Snapshot | None) -> Classifier:
        """Where the last one stood, in the family wanted; a new one where they have nothing in common."""
        wanted = self._settings.learner.family
        if snapshot is not None and goes_on(snapshot, wanted):
            return restored(snapshot, wanted)
        if snapshot is not None:
            log.warning("model_begins_anew", was=family_of(snapshot), family=wanted, without=snapshot.model_version)
        return untaught(wanted)

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
        while unread := await behind(consumer, ends):
            for partition, records in (await consumer.getmany(*unread, timeout_ms=POLL_MS)).items():
                for record in records:
                    if record.offset < ends[partition]:
                        take(record)
            await asyncio.sleep(0)
        for partition, end in ends.items():
            start = max(end, self._study.positions.offsets[place(partition)])
            consumer.seek(partition, start)
            self._study.positions.offsets[place(partition)] = start

    async def _round(self) -> None:
        """Decisions that there are, then labels that there were, then what matured in the meantime; a snapshot.

        A label read before its payment would count against an allowance that the payment has not raised yet.
        """
        if self._order is not None and self._order.order_id != self._study.order:
            step = self._succession.obey(self._order)
            if step is not None:
                await self._publish(step)
        if self._stretch is None:
            now, labels = self._study.newest_event(), await self._ends(self._labels)
            self._stretch = Stretch(now, labels, await self._ends(self._decisions))
        self._learn(await self._poll(self._decisions), self._study.take_decision)
        if await behind(self._decisions, self._stretch.decisions):
            return
        if unread := await behind(self._labels, self._stretch.labels):
            polled = await self._poll(self._labels, *unread)
            self._learn(_cut(self._labels, polled, self._stretch.labels), self._study.take_label)
        if not await behind(self._labels, self._stretch.labels):
            self._study.mature(self._stretch.now)
            self._stretch = None
        if self._study.snapshot_due():
            await self._publish(self._succession.next())

    async def _ends(self, consumer: AIOKafkaConsumer) -> Offsets:
        return dict(await consumer.end_offsets(consumer.assignment()))

    async def _poll(self, consumer: AIOKafkaConsumer, *partitions: TopicPartition) -> Records:
        await asyncio.sleep(0)  # no poll gives way where records lie ready
        polled: Records = await consumer.getmany(*partitions, timeout_ms=POLL_MS, max_records=MOST_RECORDS)
        return polled

    def _learn(self, polled: Records, take: Take) -> None:
        for partition, records in polled.items():
            for record in records:
                if (lesson := take(record)) is not None:
                    self._study.learn(lesson)
            self._study.positions.offsets[place(partition)] = records[-1].offset + 1

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


def _cut(consumer: AIOKafkaConsumer, polled: Records, ends: Offsets) -> Records:
    """Those below the ends; the consumer goes back to what it read beyond them."""
    below = {}
    for partition, records in polled.items():
        kept = [record for record in records if record.offset < ends[partition]]
        if len(kept) < len(records):
            consumer.seek(partition, ends[partition])
        if kept:
            below[partition] = kept
    return below


def run(settings: Settings) -> None:
    """Run the learner until it is told to stop; exit 70 on anything it cannot know the state of."""
    live(LEARNER, lambda: LearnerProcess(settings).run())
