"""A transactional producer in memory. Batches are aiokafka's own, so what fits fits."""

import asyncio

from aiokafka.producer.message_accumulator import BatchBuilder


class FakeProducer:
    """Remembers what was done, in order; delivers a batch in the loop's next turn, or fails with `failure`."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.done: list[str] = []
        self.sent: list[tuple[str, int, BatchBuilder]] = []
        self.failure: Exception | None = None

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(self.batch_size, 0, is_transactional=True)

    async def begin_transaction(self) -> None:
        self.done.append("begin")

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[object]:
        self.sent.append((topic, partition, batch))
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(self._deliver, future)
        return future

    def _deliver(self, future: asyncio.Future[object]) -> None:
        self.done.append("delivered")
        if self.failure is None:
            future.set_result(None)
        else:
            future.set_exception(self.failure)

    async def commit_transaction(self) -> None:
        self.done.append("commit")
