"""Profiles of the cards of each partition: packed in memory, restored from their changelog."""

from collections.abc import Iterator
from itertools import islice

from aiokafka import TopicPartition

from models.card import Profile, pack, unpack
from streams.broker.clients import reader
from streams.broker.reading import whole
from streams.deciding.resumption import NOTE_KEY
from streams.settings import BrokerSettings

# Of each partition at a time. The loop is held while an answer is taken apart: with 4 MB and eight partitions for
# 40 ms, with this for 6 ms, and a million cards take no longer.
FETCH_BYTES = 512 << 10


class ProfileStore:
    """The profiles of one partition.

    Kept packed: an unpacked profile takes ten times the memory. A dict from bytes to bytes takes 650 bytes for a card
    of 459, and is nothing that the garbage collector looks through. What is checked out stays the same object until
    `commit`, so that several transactions of one card in a batch see each other.
    """

    def __init__(self) -> None:
        self._packed: dict[bytes, bytes] = {}
        self._out: dict[bytes, Profile] = {}
        self.newest = 0  # event time, seconds: the clock by which cards grow idle
        self.noted: int | None = None  # the input offset that came next when the changelog was written last

    def __len__(self) -> int:
        return len(self._packed)

    def restored(self, card: bytes, packed: bytes | None) -> None:
        """Take in one changelog record; None is a tombstone."""
        if card == NOTE_KEY:
            self.noted = None if packed is None else int(packed)
        elif packed is None:
            self._packed.pop(card, None)
        else:
            self._packed[card] = packed

    def check_out(self, card: bytes) -> Profile:
        """The card's profile, to be changed in place; a new one for a card never seen."""
        profile = self._out.get(card)
        if profile is None:
            packed = self._packed.get(card)
            profile = self._out[card] = unpack(packed) if packed is not None else Profile()
        return profile

    def commit(self) -> list[tuple[bytes, bytes]]:
        """Pack what was checked out; these changelog records belong into the batch's Kafka transaction."""
        changed = [(card, pack(profile)) for card, profile in self._out.items() if profile.n]
        self.newest = max(self.newest, max((profile.newest for profile in self._out.values()), default=0))
        self._packed.update(changed)
        self._out.clear()
        return changed

    def roll_back(self) -> None:
        """Forget what was checked out: its batch was not decided."""
        self._out.clear()

    def idle_since(self, horizon: float, *, most: int, after: int) -> Iterator[bytes]:
        """Cards among the `most` that follow position `after` whose newest event is older than `horizon` (seconds)."""
        for card, packed in islice(self._packed.items(), after, after + most):
            if (unpack(packed).last_seen or 0.0) < horizon:
                yield card

    def forget(self, card: bytes) -> None:
        """Drop a card; its tombstone must be in the same Kafka transaction."""
        self._packed.pop(card, None)


async def restore(settings: BrokerSettings, topic: str, partitions: list[int]) -> dict[int, ProfileStore]:
    """Read the changelog of `partitions` to its committed end. Fence the former owner first: its last batch counts."""
    stores = {partition: ProfileStore() for partition in partitions}
    async with reader(settings, max_partition_fetch_bytes=FETCH_BYTES) as consumer:
        async for records in whole(consumer, [TopicPartition(topic, partition) for partition in partitions]):
            for record in records:
                stores[record.partition].restored(record.key, record.value)
    return stores
