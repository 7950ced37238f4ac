"""A server behind a fault proxy, and clients of it."""

import asyncio
import random
import time
from contextlib import asynccontextmanager, suppress

from chaos.proxy import FaultProxy

PATIENCE_SECONDS = 20.0
A_MOMENT = 0.3  # in which something that must not come would have come


class Server:
    """Echoes; remembers its connections and what each has heard and how it ended."""

    def __init__(self):
        self.heard = []
        self.endings = []

    async def serve(self, reader, writer):
        heard = bytearray()
        self.heard.append(heard)
        try:
            while data := await reader.read(65536):
                heard += data
                writer.write(data)
                await writer.drain()
            self.endings.append("half closed")
            writer.write(b".")
        except OSError as error:
            self.endings.append(type(error).__name__)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def deaf(reader, writer):
    """Serves by not reading."""
    writer.transport.pause_reading()
    await asyncio.sleep(PATIENCE_SECONDS)


@asynccontextmanager
async def proxied(seed=1, serve=None):
    """A server behind a proxy; (proxy, server)."""
    server = Server()
    serving = []

    async def served(reader, writer):
        serving.append(asyncio.current_task())
        with suppress(asyncio.CancelledError):
            await (serve or server.serve)(reader, writer)
        writer.transport.abort()

    listener = await asyncio.start_server(served, "127.0.0.1", 0)
    try:
        async with FaultProxy(listener.sockets[0].getsockname()[1], rng=random.Random(seed)) as proxy:
            yield proxy, server
    finally:
        listener.close()
        for each in serving:
            each.cancel()
        await asyncio.gather(*serving)


@asynccontextmanager
async def connected(proxy):
    """A client's connection through the proxy; its block may not take long."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def echoed(connection, data):
    """What comes back, as long as what was sent."""
    reader, writer = connection
    writer.write(data)
    return await reader.readexactly(len(data))


async def seconds_of(awaited):
    started = time.monotonic()
    await awaited
    return time.monotonic() - started


async def until(holds):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


async def silent(reader):
    """Whether nothing comes for a moment, the end neither."""
    try:
        async with asyncio.timeout(A_MOMENT):
            return await reader.read(1) is None
    except TimeoutError:
        return True
