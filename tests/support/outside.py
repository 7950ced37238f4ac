"""The topics of one installation as somebody outside has them: another client, JSON, and the names of topics."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from support.processes import environment_of

from streams.auditing.audit import Audit, audit_topics
from streams.broker.reading import partitions_of
from streams.broker.topic_admin import create_topics
from streams.broker.topics import DECISIONS, Topic, name_of
from streams.settings import Settings, load_settings

PARTITIONS = 2
PATIENCE_SECONDS = 60.0  # on a machine that does much else
HEARD = (*DECISIONS.values(), Topic.DEAD_LETTERS, Topic.ALERTS, Topic.MODELS)

Json = dict[str, Any]


@contextmanager
def outside_of(bootstrap: str, prefix: str, partitions: int = PARTITIONS) -> Iterator["Outside"]:
    """Topics of an installation of its own, and somebody outside it."""
    settings = load_settings(None, environment_of(bootstrap, prefix, topics_partitions=str(partitions)))
    asyncio.run(create_topics(settings))
    outside = Outside(settings)
    try:
        yield outside
    finally:
        outside.close()


class Outside:
    """Sends what it is told to, hears what is committed, waits for what must come."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.bootstrap = settings.broker.bootstrap_servers
        self.prefix = settings.topics.prefix
        # Idempotent, or a retry may change the order of a partition.
        self._producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5, "enable.idempotence": True})
        self._ear = self.listener(*HEARD)
        self._heard: dict[str, list[Message]] = {self.name(topic): [] for topic in HEARD}
        self._numbers = count(1)

    def close(self) -> None:
        self._ear.close()
        self._producer.flush(10)

    def name(self, topic: Topic) -> str:
        return name_of(topic, self.settings.topics)

    def variables(self, **changes: str) -> dict[str, str]:
        """For a process of the product, beside its addresses."""
        return {"topics_partitions": str(self.settings.topics.partitions), **changes}

    def listener(self, *topics: Topic) -> Consumer:
        """A consumer that stands at the beginning of topics, without a group, and sees committed records only."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"{self.prefix}outside",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
            }
        )
        consumer.assign(
            [
                TopicPartition(each.topic, each.partition, OFFSET_BEGINNING)
                for each in partitions_of(self.settings, topics)
            ]
        )
        return consumer

    def send(
        self,
        value: bytes | None,
        *,
        key: bytes | None,
        topic: Topic = Topic.TRANSACTIONS,
        partition: int = -1,
        told: Callable[[KafkaError | None, Message], None] | None = None,
    ) -> None:
        """Send one record; `told` hears where it lies once it does."""
        self._producer.produce(self.name(topic), value, key, partition, told)

    def flush(self) -> None:
        assert self._producer.flush(PATIENCE_SECONDS) == 0

    def pay(self, token: str | None = None, *, partition: int = -1, **changes: Any) -> str:
        """Send a good payment made now; its transaction id."""
        payment = self.payment(token, **changes)
        self.send(json.dumps(payment).encode(), key=payment["pan_token"].encode(), partition=partition)
        self.flush()
        return str(payment["transaction_id"])

    def payment(self, token: str | None = None, **changes: Any) -> Json:
        """A payment made now, small and harmless but for the changes; by a new card, if none is named."""
        number = next(self._numbers)
        return {
            "transaction_id": f"tx_{number}",
            "event_time": datetime.now(UTC).isoformat(),
            "pan_token": token or f"tok_{number}",
            "amount_minor": 1250,
            "currency": "EUR",
            "merchant_id": "mer_1",
        } | changes

    def decided(self, token: str | None = None, **changes: Any) -> Json:
        """Pay, and wait for the decision."""
        return self.decision(self.pay(token, **changes))

    def decision(self, transaction_id: str) -> Json:
        """The decision of a transaction, waited for."""
        self.until(lambda: any(each["transaction_id"] == transaction_id for each in self.decisions()))
        [found] = [each for each in self.decisions() if each["transaction_id"] == transaction_id]
        return found

    def decisions(self) -> list[Json]:
        """Heard so far, those of one topic and partition in their order."""
        return [json.loads(each.value() or b"") for topic in DECISIONS.values() for each in self.heard(topic)]

    def alerts(self, component: str) -> list[Json]:
        """What was said of one component's incidents so far, updates left out."""
        told = [json.loads(each.value() or b"")["data"] for each in self.heard(Topic.ALERTS)]
        return [each for each in told if each["component"] == component and each["status"] != "update"]

    def heard(self, topic: Topic) -> list[Message]:
        """Records of a topic heard so far."""
        return self._heard[self.name(topic)]

    def until(self, holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Listen until something holds."""
        give_up_at = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < give_up_at, f"not within {seconds:.0f} s"
            for message in self._ear.consume(500, timeout=0.1):
                if message.error() is None:
                    self._heard[message.topic()].append(message)

    def all_of(self, *topics: Topic) -> list[Message]:
        """Every committed record there is of topics, those of one partition in their order."""
        consumer = self.listener(*topics)
        unread = {(each.topic, each.partition) for each in consumer.assignment()}
        records = []
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        try:
            while unread:
                assert time.monotonic() < give_up_at, f"no end of {unread}"
                for message in consumer.consume(1000, timeout=0.1):
                    if message.error() is None:
                        records.append(message)
                    elif message.error().code() == KafkaError._PARTITION_EOF:
                        unread.discard((message.topic(), message.partition()))
        finally:
            consumer.close()
        return records

    def audit(self) -> Audit:
        """Account for every transaction, once the workers have read them all."""
        return asyncio.run(audit_topics(self.settings, wait_seconds=PATIENCE_SECONDS))
