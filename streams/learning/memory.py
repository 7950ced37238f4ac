"""What an earlier learner left on the topics: its state, the champion, acceptors' histories, known card frauds."""

from dataclasses import dataclass, field

import structlog

from models.merchant_history import MerchantHistory
from models.snapshot import Snapshot, SnapshotInvalid, from_plain
from models.verifying import verify
from streams.broker.clients import reader
from streams.broker.reading import partitions_of, whole
from streams.broker.topics import Topic, name_of
from streams.settings import Settings
from streams.wire.feedback import note_card_fraud, note_history
from streams.wire.snapshot_record import CHAMPION, GOOD, SnapshotRecord, SnapshotUnreadable, read_snapshot

log = structlog.get_logger()


@dataclass(slots=True)
class Memory:
    """State to go on from; empty where there was no learner yet."""

    snapshot: Snapshot | None = None  # how far it had come
    champion: Snapshot | None = None  # what workers score with
    champion_record: SnapshotRecord | None = None  # the same, as it was published
    refused: tuple[Snapshot, ...] = ()  # the candidate that has come since
    good: dict[bytes, SnapshotRecord] = field(default_factory=dict)
    merchants: dict[str, MerchantHistory] = field(default_factory=dict)
    card_fraud_at: dict[str, float] = field(default_factory=dict)
    published_acceptors: set[str] = field(default_factory=set)

    def take_model(self, key: bytes, value: bytes | None) -> None:
        """Of all that is sound, champion or candidate, what has been taught most counts."""
        if value is None:
            return
        try:
            record = read_snapshot(value)
            snapshot = from_plain(record.snapshot)
            verify(snapshot)
        except (SnapshotUnreadable, SnapshotInvalid) as error:
            log.error("snapshot_refused", key=key.decode(errors="replace"), why=str(error))
            return
        if key == CHAMPION:
            self.champion, self.champion_record, self.refused = snapshot, record, ()
        elif self.champion is not None:
            self.refused = (snapshot,)
        if self.snapshot is None or taught(snapshot) >= taught(self.snapshot):
            self.snapshot = snapshot

    def take_history(self, key: bytes, value: bytes | None) -> None:
        """An acceptor's history, or a model to go back to."""
        if key.startswith(GOOD):
            self._take_good(key, value)
            return
        note_history(self.merchants, key, value)

    def _take_good(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.good.pop(key, None)
            return
        try:
            self.good[key] = read_snapshot(value)
        except SnapshotUnreadable as error:
            log.error("good_model_unreadable", key=key.decode(errors="replace"), why=str(error))

    def take_published(self, key: bytes, value: bytes | None) -> None:
        """Which acceptors workers know."""
        known = self.published_acceptors
        (known.discard if value is None else known.add)(key.decode(errors="replace"))

    def take_card(self, key: bytes, value: bytes | None) -> None:
        """A card's known fraud."""
        note_card_fraud(self.card_fraud_at, key, value)


def taught(snapshot: Snapshot) -> int:
    """Lessons up to this state, those included that were given up with a model that became unfit."""
    return int(snapshot.label_offsets.get("taught", snapshot.labels))


async def recall(settings: Settings) -> Memory:
    """Read it all, committed records only; the producer must be started first, so that nobody else still writes."""
    memory = Memory()
    takes = {
        Topic.MODELS: memory.take_model,
        Topic.LEARNER_STATE: memory.take_history,
        Topic.MERCHANT_RISK: memory.take_published,
        Topic.CARD_FEEDBACK: memory.take_card,
    }
    by_name = {name_of(topic, settings.topics): take for topic, take in takes.items()}
    async with reader(settings.broker, max_partition_fetch_bytes=8 << 20) as consumer:
        async for records in whole(consumer, partitions_of(settings, takes)):
            for record in records:
                if record.key is not None:
                    by_name[record.topic](record.key, record.value)
    return memory
