"""A connection that broke a moment ago costs a client a retry, and not its metadata for ever."""

import asyncio

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from streams.broker.connections import adapt_connections

pytestmark = pytest.mark.kafka


def test_a_client_on_uvloop_survives_a_write_to_a_closed_connection(bootstrap: str) -> None:
    adapt_connections()

    async def look() -> None:
        client = AIOKafkaClient(bootstrap_servers=bootstrap)
        await client.bootstrap()
        node = client.get_random_node()
        connection = await client._get_conn(node)

        connection._writer.transport.abort()
        while connection.connected():
            await asyncio.sleep(0)
        with pytest.raises(KafkaConnectionError):
            connection.send(MetadataRequest([]))

        assert await asyncio.wait_for(client.force_metadata_update(), 10)
        assert not client._sync_task.done()
        await client.close()

    uvloop.run(look())
