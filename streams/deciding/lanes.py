"""The lanes of a worker: partitions come and go with the consumer group, each behind a fence."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from uuid import uuid4

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from rules.lag import LagGate, LagPolicy
from streams.broker.clients import RETRY_MS, connection
from streams.broker.follower import Follower
from streams.broker.topics import Topic, name_of
from streams.crash import give_up
from streams.deciding.agent import DecidingAgent
from streams.deciding.group_offsets import GroupOffsets
from streams.deciding.intake import Intake
from streams.deciding.knowledge import Knowledge
from streams.deciding.lane import Lane
from streams.deciding.lane_state import LaneState
from streams.deciding.left_open import BATCHES, CLAIMS, left_open
from streams.deciding.loop_pauses import LoopPauses
from streams.deciding.ownership import lock, take_over
from streams.deciding.profiles import ProfileStore, restore
from streams.deciding.resumption import resume_at
from streams.deciding.rounds import Rounds, Told
from streams.deciding.transactional import fencing_producer, given_up
from streams.deciding.transactions import Transactions
from streams.deciding.writer import WRITES, Writer
from streams.settings import Settings

log = structlog.get_logger()

MIND_SECONDS = 0.5  # between two looks at whether the worker is still a member
LOOK_SECONDS = 0.5  # between two at whether a transaction that Kafka left open is ended
LEFT_OPEN_SECONDS = 5.0  # and then it is told


class Lanes(ConsumerRebalanceListener):  # type: ignore[misc]
    """Opens a lane for each assigned partition, and closes them before the next rebalance.

    Opening is in this order and no other: fence whoever may still write for the partition, which ends his open
    transaction; see that it did; restore the profiles and the next offset noted with them; seek, start, and only then
    read. What is restored before fencing may be behind what a predecessor still commits, and then a batch is decided
    twice.
    Until a lane has started, nothing was decided for it, so a revocation breaks an opening off at any point.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        instance: str,
        agent: DecidingAgent,
        knowledge: Knowledge,
        told: Told,
        on_assigned: Callable[[int], None],
        on_left_open: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._instance = instance
        self._agent = agent
        self._knowledge = knowledge
        self._told = told
        self._on_assigned = on_assigned
        self._on_left_open = on_left_open  # with the number of partitions that wait
        self._input = name_of(Topic.TRANSACTIONS, settings.topics)
        self._rounds: Rounds | None = None
        self._producers: list[AIOKafkaProducer] = []  # the one that writes, and locks of partitions that are not open
        self._intake: Intake | None = None
        self._opening: asyncio.Task[None] | None = None
        self._feedback: Follower | None = None
        self._minder: asyncio.Task[None] | None = None
        self._offsets: GroupOffsets | None = None
        self._consumer: AIOKafkaConsumer = None  # made in start: it needs the running loop

    async def start(self) -> None:
        """Join the group; partitions follow by themselves."""
        self._consumer = self._member()
        self._consumer.subscribe([self._input], listener=self)
        await self._consumer.start()
        self._minder = asyncio.create_task(self._mind_membership(), name="membership")
        self._offsets = GroupOffsets(self._consumer, lambda: _places(self._lanes))
        self._offsets.start()

    def _member(self) -> AIOKafkaConsumer:
        lanes = self._settings.lanes
        return AIOKafkaConsumer(
            **connection(self._settings.broker),
            group_id=self._settings.lanes_group,
            group_instance_id=self._instance,  # static: a restarted worker takes its partitions back at once
            partition_assignment_strategy=(RangePartitionAssignor,),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",  # what a producer took back is not decided
            session_timeout_ms=lanes.session_timeout_ms,
            heartbeat_interval_ms=lanes.heartbeat_interval_ms,
            rebalance_timeout_ms=10_000,
            fetch_max_wait_ms=50,
            retry_backoff_ms=RETRY_MS,
        )

    @property
    def _lanes(self) -> Sequence[Lane]:
        return () if self._rounds is None else self._rounds.lanes

    def states(self) -> Iterable[LaneState]:
        """Of the lanes that are open."""
        return [lane.state for lane in self._lanes]

    async def stop(self) -> None:
        """Finish the batches in hand and go. The static member keeps its place until its session ends."""
        if self._minder is not None:
            self._minder.cancel()
        lanes = self._lanes  # that know where they stand once they are closed
        await self._close()
        if self._offsets is not None:
            await self._offsets.stop(_places(lanes))
        if self._consumer is not None:
            await self._consumer.stop()

    async def _mind_membership(self) -> None:
        """End the process with the membership: aiokafka says that it is over to whoever polls, and closed lanes do not.

        A broker that was killed and came back was seen to answer a SyncGroup with an unknown error: after that nobody
        joins again, and the partitions stand still under a worker that lives.
        """
        try:
            while True:
                await asyncio.sleep(MIND_SECONDS)
                self._consumer._coordinator.check_errors()  # noqa: SLF001 - there is no other way to ask
        except Exception as error:  # noqa: BLE001 - whatever ended it
            give_up("membership_lost", error)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Open the lanes of a new assignment, in the background: no heartbeat is sent until this returns."""
        self._opening = asyncio.create_task(self._open_all(sorted(assigned)), name="opening")

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002 - all go
        """Close all lanes: the range assignor hands everything out anew."""
        await self._close()

    async def _open_all(self, partitions: list[TopicPartition]) -> None:
        try:
            await self._open(partitions)
        except (Exception, asyncio.CancelledError) as error:
            # A consumer of aiokafka that is stopped just after its start raises CancelledError, though nobody cancels.
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            give_up("assignment_failed", error)  # a partition half open must not be decided

    async def _open(self, partitions: list[TopicPartition]) -> None:
        """All whose predecessors' transactions are over, at once; any other as soon as they are."""
        began = time.monotonic()
        waiting = {each.partition: each for each in partitions}
        owner = f"lanes-{uuid4().hex}"
        writing, locks, _ = await asyncio.gather(
            self._started(fencing_producer(self._settings, owner)),
            asyncio.gather(*(self._started(lock(self._settings, each)) for each in waiting)),
            self._follow_cards(list(waiting)),
        )
        locked = dict(zip(waiting, locks, strict=True))
        self._consumer.pause(*partitions)
        self._intake = Intake(self._consumer, partitions)
        self._intake.start()
        topics = self._settings.topics
        transactions = Transactions(self._settings.lanes, writing, [name_of(each, topics) for each in WRITES])
        writer = Writer(topics, transactions)
        self._rounds = Rounds(
            self._settings.lanes, intake=self._intake, writer=writer, agent=self._agent, told=self._told
        )
        told: dict[int, tuple[str, ...]] = {}
        while True:
            left = await left_open(self._settings, waiting, CLAIMS)
            await take_over(self._settings, {each: locked[each] for each in waiting if each not in left}, owner)
            left |= await left_open(self._settings, [each for each in waiting if each not in left], BATCHES)
            ended = [each for each in waiting if each not in left]
            if ended or not waiting:
                await self._start_lanes(self._rounds, self._intake, [waiting.pop(each) for each in ended], began)
                await asyncio.gather(*(self._stopped(locked.pop(each)) for each in ended))
            if not waiting:
                break
            if time.monotonic() - began > LEFT_OPEN_SECONDS:  # a marker may be seen a moment after it is written
                self._on_left_open(len(left))
                if left != told:
                    told = left
                    log.error("transaction_left_open", places=[place for places in left.values() for place in places])
            await asyncio.sleep(LOOK_SECONDS)
        self._on_left_open(0)

    async def _start_lanes(
        self, rounds: Rounds, intake: Intake, partitions: Sequence[TopicPartition], began: float
    ) -> None:
        numbers = [each.partition for each in partitions]
        async with LoopPauses() as pauses:
            profiles = name_of(Topic.PROFILES, self._settings.topics)
            stores = await restore(self._settings.broker, profiles, numbers) if numbers else {}
            ends = await self._consumer.end_offsets(partitions)
        lanes = [
            Lane(
                inlet=intake.inlet(each),
                state=self._state(each, stores[each.partition]),
                next=await self._sought(each, resume_at(stores[each.partition].noted, ends[each])),
                profile_idle_days=self._settings.lanes.profile_idle_days,
            )
            for each in partitions
        ]
        rounds.add(lanes)
        self._consumer.resume(*partitions)
        self._on_assigned(len(rounds.lanes))
        log.info(
            "lanes_open",
            partitions=numbers,
            cards=sum(map(len, stores.values())),
            seconds=round(time.monotonic() - began, 3),
            longest_pause_ms=round(pauses.longest * 1000),
        )

    async def _sought(self, partition: TopicPartition, noted: int | None) -> int | None:
        """Have the consumer read on from there; without a note from where the group stands, or from the beginning."""
        begin = await self._consumer.committed(partition) if noted is None else noted
        if begin is None:
            await self._consumer.seek_to_beginning(partition)
        else:
            self._consumer.seek(partition, begin)
        return begin

    async def _started(self, starting: Awaitable[AIOKafkaProducer]) -> AIOKafkaProducer:
        producer = await starting
        self._producers.append(producer)
        return producer

    async def _stopped(self, producer: AIOKafkaProducer) -> None:
        await given_up(producer)
        self._producers.remove(producer)

    def _state(self, partition: TopicPartition, profiles: ProfileStore) -> LaneState:
        deadline = self._settings.deadline
        policy = LagPolicy(
            enter=deadline.lag_enter,
            leave=deadline.lag_leave,
            calm_seconds=deadline.lag_calm_seconds,
            ahead_seconds=deadline.lag_ahead_seconds,
        )
        return LaneState(topic=partition.topic, partition=partition.partition, profiles=profiles, gate=LagGate(policy))

    async def _follow_cards(self, partitions: list[int]) -> None:
        topic = name_of(Topic.CARD_FEEDBACK, self._settings.topics)
        self._feedback = Follower(settings=self._settings.broker, takes={topic: self._knowledge.take_card})
        await self._feedback.start(TopicPartition(topic, partition) for partition in partitions)

    async def _break_off(self) -> None:
        """End an opening: a restore may last longer than a rebalance, and a lane opened later would be nobody's."""
        if self._opening is None:
            return
        self._opening.cancel()
        await asyncio.wait({self._opening})
        self._opening = None

    async def _close(self) -> None:
        await self._break_off()
        if self._intake is not None:
            await self._intake.stop()
            self._intake = None
        rounds, self._rounds = self._rounds, None
        if rounds is not None:
            await rounds.close()
        producers, self._producers = self._producers, []
        await asyncio.gather(*(given_up(producer) for producer in producers))
        if self._feedback is not None:
            with contextlib.suppress(Exception):
                await self._feedback.stop()
            self._feedback = None
        self._knowledge.card_frauds.clear()
        self._on_left_open(0)
        self._on_assigned(0)


def _places(lanes: Iterable[Lane]) -> dict[TopicPartition, int]:
    """The next input offset of each partition."""
    return {lane.inlet.partition: lane.next for lane in lanes if lane.next is not None}


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
