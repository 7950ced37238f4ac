"""What the topics hold after a run, read by another client: the evidence that the checker judges by.

Read committed for what a consumer is to believe, and once more uncommitted for what the broker took back.
"""

import time
from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zlib import crc32

import orjson
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from models.alert import AlertStatus
from models.learner import Learner
from models.profile_packing import pack
from models.transaction import Transaction
from models.warm_up import WarmUp
from streams.broker.reading import partitions_of
from streams.broker.topics import DECISIONS, Topic, name_of
from streams.deciding.resumption import NOTE_KEY
from streams.settings import Settings
from streams.wire.alert import read_alert
from streams.wire.codec import MalformedRecord, read_transaction
from streams.wire.dead_letter import read_dead_letter
from streams.wire.snapshot_record import GOOD

Place = tuple[int, int]  # partition and offset in `transactions`
SILENCE_SECONDS = 60.0
POLL_SECONDS = 0.2  # this client waits for so long unless it has as many records as it was asked for


class Input(NamedTuple):
    """A record of `transactions`; no transaction where it breaks the contract."""

    key: bytes | None
    transaction: Transaction | None
    digest: int = 0  # of key and value


class Ending(NamedTuple):
    """A decision or a dead letter, where it lies and what it says it ends."""

    topic: str
    partition: int  # of its own
    offset: int
    key: bytes | None
    place: Place
    transaction_id: str | None  # of a decision
    approved_in_stead: bool  # a stand-in approval: it counts towards the card's limits


@dataclass(slots=True)
class Evidence:
    """Everything that the checker looks at."""

    inputs: dict[Place, Input] = field(default_factory=dict)
    endings: dict[Place, list[Ending]] = field(default_factory=lambda: defaultdict(list))
    sequence: list[Ending] = field(default_factory=list)  # of each topic and partition in order
    profiles: dict[tuple[int, bytes], bytes | None] = field(default_factory=dict)  # latest, by partition and card
    noted: dict[int, int] = field(default_factory=dict)  # the next input offset, by partition
    alerts: list[tuple[str, str]] = field(default_factory=list)  # status and dedup key, in order
    appended: dict[int, "array[float]"] = field(default_factory=dict)  # when decisions were, by partition and in order
    labels: int = 0  # that the learner says it was taught up to its latest model, those of the warm-up left out
    labels_in_histories: int = 0  # counted in the acceptors' histories of the same moment
    taken_back: int = 0  # records of the output topics that lie in aborted transactions
    open_transactions: list[str] = field(default_factory=list)  # partitions whose last stable offset is not their end


def digest_of(key: bytes | None, value: bytes | None) -> int:
    """Tells a record from others, wherever it lies."""
    return crc32(value or b"", crc32(key or b""))


def gather(settings: Settings, before: WarmUp) -> Evidence:
    """Read everything there is, from the beginning, less labels and profiles of before the run."""
    evidence = Evidence()
    _transactions(settings, evidence)
    committed = _endings(settings, evidence)
    for message in _records(settings, Topic.PROFILES):
        if message.key() == NOTE_KEY:
            evidence.noted[message.partition()] = int(message.value() or b"")
        else:
            evidence.profiles[message.partition(), message.key()] = message.value()
    _leave_out(evidence.profiles, before)
    evidence.alerts = alerts(settings)
    _learnt(settings, evidence, before.learner)
    everything = sum(1 for _ in _records(settings, *DECISIONS.values(), Topic.DEAD_LETTERS, level="read_uncommitted"))
    evidence.taken_back = everything - committed
    evidence.open_transactions = open_transactions(settings)
    return evidence


def _leave_out(profiles: dict[tuple[int, bytes], bytes | None], before: WarmUp) -> None:
    """What the run did not touch, or has forgotten."""
    known = {card.encode(): pack(profile) for card, profile in before.profiles.items()}
    for place, profile in list(profiles.items()):
        if place[1] in known and profile in (None, known[place[1]]):
            del profiles[place]


def alerts(settings: Settings) -> list[tuple[str, str]]:
    """Status and dedup key of every alert of an incident's life, in order; that it is settled is said afterwards."""
    told = (read_alert(message.value()).data for message in _records(settings, Topic.ALERTS))
    return [(each.status.value, each.dedup_key) for each in told if each.status is not AlertStatus.SETTLED]


def _transactions(settings: Settings, evidence: Evidence) -> None:
    for message in _records(settings, Topic.TRANSACTIONS):
        try:
            transaction = read_transaction(message.key(), message.value(), message.timestamp()[1] / 1000)
        except MalformedRecord:
            transaction = None
        digest = digest_of(message.key(), message.value())
        evidence.inputs[message.partition(), message.offset()] = Input(message.key(), transaction, digest)


def _endings(settings: Settings, evidence: Evidence) -> int:
    dead_letters = name_of(Topic.DEAD_LETTERS, settings.topics)
    source = name_of(Topic.TRANSACTIONS, settings.topics)
    times: dict[int, list[float]] = {number: [] for number in range(settings.topics.partitions)}
    count = 0
    for message in _records(settings, *DECISIONS.values(), Topic.DEAD_LETTERS):
        count += 1
        ending = _letter(message, source) if message.topic() == dead_letters else _decision(message)
        if message.topic() != dead_letters:
            times[message.partition()].append(message.timestamp()[1] / 1000)
        if ending is not None:
            evidence.endings[ending.place].append(ending)
            evidence.sequence.append(ending)
    evidence.appended = {number: array("d", sorted(each)) for number, each in times.items()}
    return count


def _decision(message: Message) -> Ending:
    told = orjson.loads(message.value())
    place = told["input"]["partition"], told["input"]["offset"]
    in_stead = told["outcome"] == "approve" and told["fallback_reason"] is not None
    return Ending(*_where(message), place, told["transaction_id"], in_stead)


def _letter(message: Message, source: str) -> Ending | None:
    record = read_dead_letter(message.key(), message.value(), message.headers() or []).record
    if record.topic != source:
        return None
    return Ending(*_where(message), (record.partition, record.offset), None, False)


def _where(message: Message) -> tuple[str, int, int, bytes | None]:
    return message.topic(), message.partition(), message.offset(), message.key()


def _learnt(settings: Settings, evidence: Evidence, before: Learner) -> None:
    for message in _records(settings, Topic.MODELS):
        if message.value() is not None:
            evidence.labels = max(evidence.labels, _labels_of(orjson.loads(message.value())) - before.model.labels)
    latest = {message.key() or b"": message.value() for message in _records(settings, Topic.LEARNER_STATE)}
    histories = {key.decode(): value for key, value in latest.items() if not key.startswith(GOOD)}
    evidence.labels_in_histories = sum(
        sum(orjson.loads(value)["labelled"])
        for acceptor, value in histories.items()
        if value is not None and acceptor not in before.merchants
    )


def _labels_of(record: dict[str, Any]) -> int:
    """Those included that were given up, because the learner went back to a model of before."""
    snapshot = record["snapshot"]
    return int(snapshot["label_offsets"].get("taught", snapshot["labels"]))


def _records(settings: Settings, *topics: Topic, level: str = "read_committed") -> Iterator[Message]:
    """Every record of topics, those of one partition in their order. Raises TimeoutError if their end never comes."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.broker.bootstrap_servers,
            "group.id": "chaos-evidence",
            "isolation.level": level,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    partitions = partitions_of(settings, topics)
    consumer.assign([TopicPartition(each.topic, each.partition, 0) for each in partitions])
    unread = {(each.topic, each.partition) for each in partitions}
    try:
        heard_at = time.monotonic()
        while unread:
            messages = consumer.consume(2000, timeout=POLL_SECONDS)
            if messages:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > SILENCE_SECONDS:
                raise TimeoutError(f"no end of {sorted(unread)}")
            for message in messages:
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread.discard((message.topic(), message.partition()))
    finally:
        consumer.close()


def open_transactions(settings: Settings) -> list[str]:
    """Partitions in which a transaction was never ended: committed readers stand still there."""
    partitions = partitions_of(settings, [*DECISIONS.values(), Topic.DEAD_LETTERS, Topic.PROFILES])
    asked = [TopicPartition(each.topic, each.partition) for each in partitions]
    stable, ends = (_ends(settings, asked, level) for level in ("read_committed", "read_uncommitted"))
    return [f"{each.topic}-{each.partition}" for each in asked if stable[each] != ends[each]]


def _ends(settings: Settings, partitions: list[TopicPartition], level: str) -> dict[TopicPartition, int]:
    consumer = Consumer(
        {"bootstrap.servers": settings.broker.bootstrap_servers, "group.id": "chaos-ends", "isolation.level": level}
    )
    try:
        return {
            each: consumer.get_watermark_offsets(each, timeout=SILENCE_SECONDS, cached=False)[1] for each in partitions
        }
    finally:
        consumer.close()
