"""The learner process: decisions become examples, labels make lessons of them, lessons make snapshots."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from models.examples import Lesson
from models.learner import Learner
from models.online import OnlineModel
from streams.alerting.heart import Heart
from streams.broker.broken_connections import mend_writes
from streams.broker.clients import reader
from streams.broker.reading import begin_at, partitions_of, place
from streams.broker.topics import DECISIONS, Topic
from streams.crash import give_up
from streams.learning.memory import recall
from streams.learning.publisher import Publisher
from streams.learning.study import Study
from streams.logs import configure_logs
from streams.metrics import LearnerMetrics, expose
from streams.ready_signal import tell_ready
from streams.settings import Settings

log = structlog.get_logger()

POLL_MS = 250  # longer than a fetch may wait: an empty poll means that there is nothing
FETCH_BYTES, FETCH_WAIT_MS = 1 << 18, 200  # in no hurry: else each batch of each lane costs the broker an answer
MOST_RECORDS = 2000  # in one poll: about 0.2 s of learning

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
        self._heart = Heart(settings, "learner")
        self._publisher = Publisher(settings, clock=lambda: datetime.now(UTC))
        self._stopping = asyncio.Event()
        self._barrier: Barrier | None = None
        self._study: Study
        self._decisions: AIOKafkaConsumer
        self._labels: AIOKafkaConsumer

    async def run(self) -> None:
        """Learn until told to stop; what was learnt since the last snapshot is learnt again by the next start."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        metrics = self._settings.metrics
        port = expose(self._metrics.registry, metrics.host, metrics.learner_port)
        await self._publisher.start()
        await self._heart.start()
        await self._open()
        labels = self._study.learner.model.labels
        log.info("learner_ready", metrics_port=port, labels=labels, waiting=self._study.waiting)
        tell_ready("learner")
        try:
            while not self._stopping.is_set():
                await self._round()
        finally:
            await asyncio.gather(self._decisions.stop(), self._labels.stop(), self._heart.stop())
            with contextlib.suppress(Exception):
                await self._publisher.stop()
        log.info("learner_stopped")

    async def _open(self) -> None:
        """Take up an earlier learner's state, and stand where it stood."""
        memory = await recall(self._settings)
        model = OnlineModel.from_snapshot(memory.snapshot) if memory.snapshot is not None else None
        learner = Learner(model, merchants=memory.merchants, card_fraud_at=memory.card_fraud_at)
        self._study = Study(self._settings.learner, learner, self._metrics)
        self._publisher.workers_know(memory.published_acceptors)
        state = memory.snapshot.label_offsets if memory.snapshot is not None else {}
        oldest = state.get("oldest", {})
        self._decisions = await self._reader(tuple(DECISIONS.values()), oldest)
        self._labels = await self._reader((Topic.LABELS,), oldest)
        self._study.positions.mark(0)
        if "next" in state:
            await self._rebuild(state)

    async def _reader(self, topics: tuple[Topic, ...], oldest: Mapping[str, int]) -> AIOKafkaConsumer:
        consumer = reader(
            self._settings.broker,
            fetch_min_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=2 << 20,
        )
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
            await self._publish()

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

    async def _publish(self) -> None:
        study = self._study
        snapshot = study.snapshot()
        changes = study.learner.changes()
        await self._publisher.publish(
            study.learner,
            snapshot,
            changes,
            now=study.frontier,
            dead_letters=study.dead_letters,
            card_partitions=study.card_partitions,
        )
        study.dead_letters.clear()
        study.card_partitions.clear()
        self._metrics.published()
        log.info("snapshot_published", model_version=snapshot.model_version, acceptors=len(changes.acceptors))


def run(settings: Settings) -> None:
    """Run the learner until it is told to stop; exit 70 on anything it cannot know the state of."""
    configure_logs("learner")
    mend_writes()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(LearnerProcess(settings).run())
    except Exception as error:  # noqa: BLE001 - crash-only
        give_up("learner_failed", error)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
