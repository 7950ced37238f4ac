"""A cluster with TLS and SASL is reached by settings alone, by every kind of client that the product has."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import pytest
import trustme
from aiokafka.errors import KafkaConnectionError
from confluent_kafka import Consumer, Producer
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from support.processes import running_worker
from support.wire_samples import transaction_document

from streams.broker.embedded import EmbeddedKafka
from streams.broker.kafka_configuration import SINGLE_NODE, choose_ports
from streams.broker.kafka_launch import KafkaOptions
from streams.broker.topic_admin import check_topics, create_topics
from streams.settings import BrokerSettings, Settings, TopicSettings

pytestmark = pytest.mark.kafka

USER, PASSWORD = "holdfast", "s3cret"
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


@dataclass(frozen=True)
class Secured:
    """A broker that takes clients with TLS and a password only, and the authority that signed its certificate."""

    address: str
    authority: Path

    def settings(self, **changes: str) -> BrokerSettings:
        told = BrokerSettings(
            bootstrap_servers=self.address,
            security_protocol="SASL_SSL",
            sasl_mechanism="PLAIN",
            sasl_username=USER,
            sasl_password=PASSWORD,
            ssl_cafile=str(self.authority),
        )
        return replace(told, **changes)

    def stranger(self) -> dict[str, str]:
        """The same for confluent-kafka."""
        return {
            "bootstrap.servers": self.address,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": USER,
            "sasl.password": PASSWORD,
            "ssl.ca.location": str(self.authority),
        }


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    directory = tmp_path_factory.mktemp("secured")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1")
    (directory / "broker.pem").write_bytes(_key_as_java_reads_it(certificate) + certificate.cert_chain_pems[0].bytes())
    port = choose_ports(None).clients
    properties = {
        "listener.security.protocol.map": SINGLE_NODE["listener.security.protocol.map"] + ",SECURED:SASL_SSL",
        "listener.name.secured.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secured.plain.sasl.jaas.config": f'{LOGIN} user_{USER}="{PASSWORD}";',
        "listener.name.secured.ssl.keystore.type": "PEM",
        "listener.name.secured.ssl.keystore.location": str(directory / "broker.pem"),
    }
    with EmbeddedKafka(
        directory / "kafka", KafkaOptions(heap_mb=512, listeners={"SECURED": port}, properties=properties)
    ):
        yield Secured(address=f"127.0.0.1:{port}", authority=directory / "ca.pem")


def _key_as_java_reads_it(certificate: trustme.LeafCert) -> bytes:
    key = load_pem_private_key(certificate.private_key_pem.bytes(), password=None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


async def test_topics_are_created_over_tls_with_a_password(secured: Secured) -> None:
    settings = Settings(broker=secured.settings(), topics=TopicSettings(prefix="admin.", partitions=1))
    assert len(await create_topics(settings)) > 0
    assert await check_topics(settings) == []


async def test_a_wrong_password_is_refused(secured: Secured, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(broker=secured.settings(sasl_password="wrong"), topics=TopicSettings(prefix="admin."))
    with pytest.raises(KafkaConnectionError):
        await check_topics(settings)
    assert "SaslAuthenticationFailed" in caplog.text


async def test_a_broker_whose_certificate_nobody_vouches_for_is_refused(
    secured: Secured, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(broker=secured.settings(ssl_cafile=""), topics=TopicSettings(prefix="admin."))
    with pytest.raises(KafkaConnectionError):
        await check_topics(settings)
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


async def test_a_worker_decides_over_tls_with_a_password(secured: Secured) -> None:
    await create_topics(Settings(broker=secured.settings(), topics=TopicSettings(prefix="tls.", partitions=1)))
    told = {
        "broker_security_protocol": "SASL_SSL",
        "broker_sasl_username": USER,
        "broker_sasl_password": PASSWORD,
        "broker_ssl_cafile": str(secured.authority),
        "topics_partitions": "1",
    }
    document = transaction_document()
    with running_worker(secured.address, "tls.", **told):
        producer = Producer(secured.stranger())
        producer.produce("tls.transactions", key=document["pan_token"], value=orjson.dumps(document))
        assert producer.flush(30) == 0
        decisions = _decisions(secured)
    assert [each["transaction_id"] for each in decisions] == [document["transaction_id"]]


def _decisions(secured: Secured) -> list[dict[str, object]]:
    consumer = Consumer(
        secured.stranger()
        | {"group.id": "stranger", "auto.offset.reset": "earliest", "isolation.level": "read_committed"}
    )
    consumer.subscribe(["tls.decisions.approve", "tls.decisions.block", "tls.decisions.review"])
    try:
        return [orjson.loads(message.value()) for message in consumer.consume(1, 60) if message.error() is None]
    finally:
        consumer.close()
