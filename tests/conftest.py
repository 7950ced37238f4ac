"""What tests of all kinds share: one real Kafka for the session, started by the first test that asks for it."""

import uuid
from collections.abc import Iterator

import hypothesis
import pytest

from streams.broker.embedded import EmbeddedKafka
from streams.broker.kafka_launch import KafkaOptions

# A deadline in milliseconds tells of a busy machine, not of the code.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """The session's broker. Not to be stopped or killed: tests that do that start one of their own."""
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka"), KafkaOptions(heap_mb=512)) as broker:
        yield broker


@pytest.fixture(scope="session")
def bootstrap(kafka: EmbeddedKafka) -> str:
    """Its address, host:port."""
    return kafka.bootstrap


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics, groups and transactional ids that no other test has."""
    return f"t{uuid.uuid4().hex[:10]}."
