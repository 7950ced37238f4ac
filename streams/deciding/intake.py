"""What a worker reads, kept for its lanes: one poll for all partitions, a queue for each."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.crash import give_up

POLL_MS = 200
MOST_AT_ONCE = 1000  # records a poll: parsing them holds up the loop for some milliseconds
GATHER_SECONDS = 0.001  # between polls: records that came one by one are fetched together
PAUSE_ABOVE = 2000  # records that wait in one queue
RESUME_BELOW = 1000


@dataclass(slots=True)
class Inlet:
    """The records of one partition that a lane has yet to take."""

    partition: TopicPartition
    consumer: AIOKafkaConsumer
    waiting: deque[ConsumerRecord] = field(default_factory=deque)

    def take(self, most: int) -> Sequence[ConsumerRecord]:
        """Up to `most` records in order."""
        taken = [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]
        if len(self.waiting) < RESUME_BELOW and self.partition in self.consumer.paused():
            self.consumer.resume(self.partition)
        return taken

    def add(self, records: Sequence[ConsumerRecord]) -> None:
        """Queue what was read."""
        self.waiting.extend(records)
        if len(self.waiting) > PAUSE_ABOVE:
            self.consumer.pause(self.partition)

    def behind(self, offset: int) -> int:
        """Count the records of the partition after this offset, those not yet read included."""
        return max((self.consumer.highwater(self.partition) or 0) - offset - 1, 0)


class Intake:
    """Polls for all lanes of an assignment.

    aiokafka asks a broker for more once every partition of its last answer was taken up, or 100 ms later. So all are
    polled at once, and what a lane has no use for yet waits here.
    """

    def __init__(self, consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]) -> None:
        self._consumer = consumer
        self._inlets = {partition: Inlet(partition, consumer) for partition in partitions}
        self._stirred = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def stirs(self) -> None:
        """Wait until more has come, or somebody else says that something has changed."""
        self._stirred.clear()
        await self._stirred.wait()

    def stir(self) -> None:
        """Wake whoever waits."""
        self._stirred.set()

    def inlet(self, partition: TopicPartition) -> Inlet:
        """Where the lane of this partition takes its records."""
        return self._inlets[partition]

    def start(self) -> None:
        """Read on from where the consumer was sought to."""
        self._task = asyncio.create_task(self._read(), name="intake")

    async def stop(self) -> None:
        """Read no more. What waits in the queues was not decided and will be read again."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _read(self) -> None:
        try:
            while True:
                polled = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=MOST_AT_ONCE)
                for partition, records in polled.items():
                    self._inlets[partition].add(records)
                if polled:
                    self.stir()
                await asyncio.sleep(GATHER_SECONDS)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - lanes that are told nothing would wait for ever
            give_up("intake_failed", error)
