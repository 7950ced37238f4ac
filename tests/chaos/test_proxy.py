"""The fault proxy over real sockets: transparent without faults, and each fault does what it says, no more."""

import asyncio
import random
import socket
import threading
import time
from contextlib import asynccontextmanager, suppress

import psutil
import pytest
from chaos.proxy import (
    Bandwidth,
    BlackHole,
    Direction,
    Down,
    FaultProxy,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
)
from chaos.threaded_proxy import ThreadedProxy
from hypothesis import given, settings
from hypothesis import strategies as st

PATIENCE_SECONDS = 20.0
A_MOMENT = 0.3  # in which something that must not come would have come
SMALL_FAULTS = st.one_of(
    st.builds(Latency, st.just(3), st.floats(0, 3)),
    st.builds(Bandwidth, st.floats(2_000, 20_000)),
    st.builds(Slicer, st.integers(500, 5000), st.integers(0, 400), st.floats(0, 10)),
)
PLACED = st.tuples(SMALL_FAULTS, st.sampled_from(list(Direction)))


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
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def echoed(connection, data):
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


# Transparent


@settings(max_examples=25)
@given(
    chunks=st.lists(st.integers(1, 60_000), max_size=8),
    faults=st.lists(PLACED, max_size=3),
    later=st.lists(PLACED, max_size=2),
)
def test_all_bytes_arrive_unchanged_both_ways_under_faults_that_lose_nothing(chunks, faults, later):
    async def exchange():
        sent = [random.Random(number).randbytes(size) for number, size in enumerate(chunks)]
        async with proxied() as (proxy, server):
            present = [proxy.add(fault, direction=direction) for fault, direction in faults]
            async with connected(proxy) as (reader, writer):
                answer = asyncio.create_task(reader.read())
                for data in sent:
                    writer.write(data)
                    await writer.drain()
                    await asyncio.sleep(0.002)
                present += [proxy.add(fault, direction=direction) for fault, direction in later]
                if present:
                    proxy.remove(present[0])
                writer.write_eof()
                read = b""
                while data := await answer:
                    read += data
                    answer = asyncio.create_task(reader.read())
            assert read == b"".join(sent) + b"."
            assert server.heard == [b"".join(sent)]

    asyncio.run(exchange())


async def test_a_half_close_is_passed_on_and_the_other_half_goes_on():
    async with proxied() as (proxy, server), connected(proxy) as (reader, writer):
        writer.write(b"question")
        writer.write_eof()

        assert await reader.read() == b"question."
        assert server.endings == ["half closed"]
        await until(lambda: not proxy.connections)


async def test_a_reset_of_the_client_is_passed_on():
    async with proxied() as (proxy, server), connected(proxy) as (reader, writer):
        await echoed((reader, writer), b"hello")
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

        await until(lambda: server.endings)
        assert server.endings == ["ConnectionResetError"]


async def test_a_receiver_that_does_not_read_stops_the_sender():
    async with proxied(serve=deaf) as (proxy, _), connected(proxy) as (_, writer):
        writer.write(bytes(64 * 1024 * 1024))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await writer.drain()

        assert proxy.held <= 64 * 1024
        writer.transport.abort()


async def test_only_this_machine_reaches_it():
    async with proxied() as (proxy, _):
        [address] = {each.laddr.ip for each in psutil.Process().net_connections() if each.laddr.port == proxy.port}

        assert address == "127.0.0.1"


async def test_it_may_be_led_to_its_target_later():
    async with proxied() as (ahead, _), FaultProxy(rng=random.Random(1)) as proxy:
        async with connected(proxy) as (reader, _):
            with pytest.raises(ConnectionResetError):
                await reader.read()

        proxy.lead_to(ahead.port)
        async with connected(proxy) as connection:
            assert await echoed(connection, b"hello") == b"hello"


async def test_a_target_that_is_gone_resets_the_client_and_the_proxy_goes_on():
    async with proxied() as (ahead, _), FaultProxy(rng=random.Random(1)) as proxy:
        proxy.lead_to(ahead.port)
        with ahead.fault(Down()):
            async with connected(proxy) as (reader, _):
                with pytest.raises(ConnectionResetError):
                    await reader.read()

        async with connected(proxy) as connection:
            assert await echoed(connection, b"hello") == b"hello"


async def test_a_thousand_connections_leave_nothing_behind():
    tasks, descriptors = len(asyncio.all_tasks()), psutil.Process().num_fds()
    async with proxied() as (proxy, server):
        for _ in range(20):
            batch = [asyncio.create_task(one_exchange(proxy)) for _ in range(50)]
            await asyncio.gather(*batch)
        await until(lambda: not proxy.connections)
        assert len(server.heard) == 1000
        with suppress(OSError):
            stays_open = await asyncio.open_connection("127.0.0.1", proxy.port)
            await echoed(stays_open, b"hello")
    stays_open[1].close()
    with suppress(OSError):
        await stays_open[1].wait_closed()

    await until(lambda: len(asyncio.all_tasks()) == tasks)
    await until(lambda: psutil.Process().num_fds() == descriptors)


async def one_exchange(proxy):
    async with connected(proxy) as connection:
        assert await echoed(connection, b"hello") == b"hello"


# Each fault


async def test_latency_delays_an_answer_and_no_longer_once_it_is_removed():
    async with proxied() as (proxy, _), connected(proxy) as connection:
        with proxy.fault(Latency(300), direction=Direction.DOWNSTREAM):
            delayed = await seconds_of(echoed(connection, b"hello"))
        at_once = await seconds_of(echoed(connection, b"hello"))

    assert delayed >= 0.29
    assert at_once < 0.29


async def test_latency_of_each_direction_adds_up():
    async with proxied() as (proxy, _), connected(proxy) as connection:
        with proxy.fault(Latency(200)):
            assert await seconds_of(echoed(connection, b"hello")) >= 0.39


async def test_latency_does_not_throttle():
    data = random.Random(1).randbytes(4 * 1024 * 1024)
    async with proxied() as (proxy, _), connected(proxy) as (reader, writer):
        with proxy.fault(Latency(200), direction=Direction.UPSTREAM):
            writer.write(data)
            answer, took = b"", time.monotonic()
            while len(answer) < len(data):
                answer += await reader.read(1 << 20)
            took = time.monotonic() - took

    assert answer == data
    assert 0.19 <= took < 10  # 256 chunks, one after the other, would take 51 s


async def test_bandwidth_slows_one_direction():
    data = bytes(100_000)
    async with proxied() as (proxy, _), connected(proxy) as connection:
        with proxy.fault(Bandwidth(200), direction=Direction.UPSTREAM):
            slow = await seconds_of(echoed(connection, data))
        fast = await seconds_of(echoed(connection, data))

    assert slow >= 0.4
    assert fast < 0.4


async def test_a_black_hole_swallows_keeps_open_and_closes_on_removal():
    async with proxied() as (proxy, server), connected(proxy) as (reader, writer):
        await echoed((reader, writer), b"before")
        with proxy.fault(BlackHole()):
            writer.write(b"lost")
            async with connected(proxy) as (later, _):
                assert await silent(reader)
                assert await silent(later)
        async with connected(proxy) as anew:
            assert await echoed(anew, b"after") == b"after"

        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        assert server.heard[0] == b"before"


async def test_a_black_hole_downstream_lets_questions_pass_and_no_answer():
    async with proxied() as (proxy, server), connected(proxy) as (reader, writer):
        with proxy.fault(BlackHole(), direction=Direction.DOWNSTREAM):
            writer.write(b"question")
            await until(lambda: server.heard == [b"question"])
            assert await silent(reader)


async def test_a_black_hole_upstream_lets_what_the_server_says_pass():
    async def greet(reader, writer):
        writer.write(b"hello")
        await reader.read()
        writer.close()

    async with proxied(serve=greet) as (proxy, _):
        with proxy.fault(BlackHole(), direction=Direction.UPSTREAM):
            async with connected(proxy) as (reader, _):
                assert await reader.readexactly(5) == b"hello"


async def test_a_reset_is_seen_by_both_sides():
    async with proxied() as (proxy, server), connected(proxy) as (reader, writer):
        await echoed((reader, writer), b"before")
        with proxy.fault(ResetPeer(), direction=Direction.UPSTREAM):
            writer.write(b"lost")
            with pytest.raises(ConnectionResetError):
                await reader.read()
            await until(lambda: server.endings)

    assert server.endings == ["ConnectionResetError"]
    assert server.heard == [b"before"]


async def test_a_reset_downstream_comes_after_the_server_has_heard():
    async with proxied() as (proxy, server), connected(proxy) as (reader, writer):
        with proxy.fault(ResetPeer(), direction=Direction.DOWNSTREAM):
            writer.write(b"question")
            with pytest.raises(ConnectionResetError):
                await reader.read()

    assert server.heard == [b"question"]


async def test_a_reset_comes_also_if_the_receiver_does_not_read():
    async with proxied(serve=deaf) as (proxy, _), connected(proxy) as (reader, writer):
        while not proxy.held:
            while not proxy.held:
                writer.write(bytes(8192))
                await asyncio.sleep(0)
            await asyncio.sleep(0.005)  # was it for a moment only?
        with proxy.fault(ResetPeer(100), direction=Direction.UPSTREAM):
            writer.write(b"first")
            with pytest.raises(ConnectionResetError):
                await reader.read()


async def test_slices_arrive_one_by_one():
    async with proxied() as (proxy, _), connected(proxy) as (reader, writer):
        with proxy.fault(Slicer(100, 20, delay_us=5000), direction=Direction.DOWNSTREAM):
            writer.write(bytes(1000))
            sizes, left = [], 1000
            while left:
                sizes.append(len(await reader.read(left)))
                left -= sizes[-1]

    assert len(sizes) >= 4  # some may be read together


async def test_a_limit_lets_so_many_bytes_pass_and_closes():
    async with proxied() as (proxy, _), connected(proxy) as (reader, writer):
        with proxy.fault(LimitData(1000), direction=Direction.DOWNSTREAM):
            writer.write(bytes(5000))
            read = b""
            with suppress(ConnectionResetError):
                while data := await reader.read(100):
                    read += data

    assert read == bytes(1000)


async def test_down_refuses_and_closes_and_then_is_there_again_at_the_same_port():
    async with proxied() as (proxy, _), connected(proxy) as (reader, writer):
        await echoed((reader, writer), b"before")
        port = proxy.port
        with proxy.fault(Down()), proxy.fault(Down()):
            assert await reader.read() == b""
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            assert proxy.port == port
        async with connected(proxy) as connection:
            assert await echoed(connection, b"after") == b"after"


async def test_nobody_else_gets_the_port_while_it_is_down():
    async with proxied() as (proxy, _):
        with proxy.fault(Down()), socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", proxy.port))


async def test_down_is_for_everyone_both_ways():
    async with proxied() as (proxy, _):
        with pytest.raises(ValueError, match="everyone"):
            proxy.add(Down(), toxicity=0.5)
        with pytest.raises(ValueError, match="everyone"):
            proxy.add(Down(), direction=Direction.UPSTREAM)


# Several, and chance


async def test_several_faults_work_at_once():
    async with proxied() as (proxy, _), connected(proxy) as connection:
        with (
            proxy.fault(Latency(200), direction=Direction.DOWNSTREAM),
            proxy.fault(Bandwidth(100), direction=Direction.UPSTREAM),
            proxy.fault(Slicer(500, 100)),
        ):
            assert await seconds_of(echoed(connection, bytes(30_000))) >= 0.45
        assert await seconds_of(echoed(connection, bytes(30_000))) < 0.45


async def hit(seed, toxicity):
    """Which of 40 connections, half of them made before the fault, a fault hits; in order."""
    async with proxied(seed) as (proxy, _):
        found = []
        present = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(20)]
        await until(lambda: proxy.connections == 20)
        with proxy.fault(ResetPeer(), toxicity=toxicity):
            present += [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(20)]
            for connection in present:
                try:
                    found.append(await echoed(connection, b"hello") != b"hello")
                except OSError:
                    found.append(True)
                connection[1].close()
                with suppress(OSError):
                    await connection[1].wait_closed()
        return found


async def test_toxicity_hits_some_connections_and_the_same_with_the_same_seed():
    first = await hit(seed=7, toxicity=0.5)

    assert 5 <= sum(first) <= 35
    assert await hit(seed=7, toxicity=0.5) == first
    assert await hit(seed=8, toxicity=0.5) != first
    assert sum(await hit(seed=7, toxicity=0.0)) == 0


# From code without a loop


def test_a_proxy_in_a_thread_does_the_same():
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadedProxy(rng=random.Random(1)) as proxy:
        threading.Thread(target=greet_all, args=(listener, 2), daemon=True).start()
        proxy.lead_to(listener.getsockname()[1])

        with socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_SECONDS) as client:
            assert client.recv(100) == b"hello"
        with proxy.fault(Down()), pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_SECONDS)
        with (
            proxy.fault(Latency(300), direction=Direction.DOWNSTREAM),
            socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_SECONDS) as client,
        ):
            started = time.monotonic()
            assert client.recv(100) == b"hello"
            assert time.monotonic() - started >= 0.25
        port = proxy.port

    assert not [thread for thread in threading.enumerate() if thread.name == "fault-proxy"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)


def greet_all(listener, count):
    for _ in range(count):
        client, _ = listener.accept()
        with client:
            client.sendall(b"hello")
            client.recv(1)
