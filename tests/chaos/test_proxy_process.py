"""The proxy in another process carries bytes, does what it is told, and ends with its block."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from chaos.proxy import BlackHole, Direction, Down, Latency
from chaos.proxy_process import FarProxy


@pytest.fixture
async def proxy() -> AsyncIterator[FarProxy]:
    """Before a server that says what it hears."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server, FarProxy(seed=1) as proxy:
        await proxy.lead_to(server.sockets[0].getsockname()[1])
        yield proxy


async def asked(proxy: FarProxy, patience: float = 5.0) -> float | None:
    """Seconds until an echo comes; none if none does."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")
    try:
        async with asyncio.timeout(patience):
            assert await reader.readexactly(5) == b"hello"
    except TimeoutError:
        return None
    finally:
        writer.close()
    return time.monotonic() - began


async def test_faults_work_for_their_block_and_no_longer(proxy: FarProxy) -> None:
    async with proxy.fault(Latency(150)):
        slow = await asked(proxy)
    async with proxy.fault(BlackHole(), direction=Direction.DOWNSTREAM):
        never = await asked(proxy, patience=0.5)
    async with proxy.fault(Down()):
        with pytest.raises(ConnectionRefusedError):
            await asked(proxy)

    assert slow is not None
    assert slow >= 0.3
    assert never is None
    assert await asked(proxy) is not None


async def test_it_ends_with_its_block() -> None:
    async with FarProxy(seed=1) as proxy:
        port = proxy.port
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
