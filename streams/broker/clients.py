"""Kafka clients: the one place that knows how to connect."""

import ssl
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from streams.settings import BrokerSettings

RETRY_MS = 20  # a client asks anew, so much later, for each topic that it does not know yet


def connection(settings: BrokerSettings) -> dict[str, Any]:
    """Arguments that every aiokafka client takes: addresses, TLS and SASL."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.startswith("SASL"):
        arguments |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password,
        }
    if settings.security_protocol.endswith("SSL"):
        arguments["ssl_context"] = tls_context(settings)
    return arguments


def tls_context(settings: BrokerSettings) -> ssl.SSLContext:
    """A verifying TLS context, with a client certificate where one is set."""
    context = ssl.create_default_context(cafile=settings.ssl_cafile or None)
    context.check_hostname = settings.ssl_check_hostname
    if settings.ssl_certfile:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile or None)
    return context


def reader(settings: BrokerSettings, **arguments: Any) -> AIOKafkaConsumer:
    """A consumer without a group that starts where it is told, and sees committed records unless told otherwise."""
    return AIOKafkaConsumer(
        **connection(settings),
        enable_auto_commit=False,
        **(
            {"isolation_level": "read_committed", "auto_offset_reset": "earliest", "retry_backoff_ms": RETRY_MS}
            | arguments
        ),
    )


def sender(settings: BrokerSettings, **arguments: Any) -> AIOKafkaProducer:
    """An idempotent producer that waits for all in-sync replicas."""
    return AIOKafkaProducer(
        **connection(settings),
        **({"acks": "all", "enable_idempotence": True, "retry_backoff_ms": RETRY_MS} | arguments),
    )


def admin(settings: BrokerSettings) -> AIOKafkaAdminClient:
    """An admin client."""
    return AIOKafkaAdminClient(**connection(settings))
