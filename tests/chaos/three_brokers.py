"""The three brokers of an installation, with a copy of everything on each."""

import asyncio
from pathlib import Path

from confluent_kafka.admin import AdminClient, ClusterMetadata

from streams.broker.cluster_layout import NODES
from streams.broker.embedded import EmbeddedKafka
from streams.broker.embedded_cluster import NODE_HEAP_MB, EmbeddedCluster
from streams.broker.kafka_launch import KafkaOptions

COPIES = {"HOLDFAST_TOPICS_REPLICATION_FACTOR": "3", "HOLDFAST_TOPICS_MIN_INSYNC_REPLICAS": "2"}
COPIED_SECONDS = 90.0
# Soon after it is back a broker leads its share of partitions again, so that the next kill hits leaders too.
LEADERS_BACK = {"leader.imbalance.check.interval.seconds": "2"}


class ThreeBrokers(EmbeddedCluster):
    """They run within the block."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, KafkaOptions(heap_mb=NODE_HEAP_MB, properties=LEADERS_BACK))

    def in_turn(self, number: int) -> EmbeddedKafka:
        """One of the three: each in its turn."""
        return self.nodes[1 + (number - 1) % NODES]

    async def copied(self) -> None:
        """Return once every replica of every partition is in sync again. Raises TimeoutError."""
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        async with asyncio.timeout(COPIED_SECONDS):
            while _behind(await asyncio.to_thread(client.list_topics, timeout=10)):
                await asyncio.sleep(0.2)


def _behind(metadata: ClusterMetadata) -> list[str]:
    """Partitions of which a replica is not in sync."""
    return [
        f"{topic}-{number}"
        for topic, its in metadata.topics.items()
        for number, partition in its.partitions.items()
        if len(partition.isrs) < len(partition.replicas)
    ]
