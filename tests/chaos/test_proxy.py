"""The fault proxy over real sockets: transparent, bounded, repeatable, and gone without a trace at its end."""

import asyncio
import random
import socket
from contextlib import suppress

import psutil
import pytest
from chaos.proxy import Bandwidth, Direction, Down, FaultProxy, Latency, ResetPeer, Slicer
from hypothesis import given, settings
from hypothesis import strategies as st
from support.proxied import connected, deaf, echoed, proxied, until

SMALL_FAULTS = st.one_of(
    st.builds(Latency, st.just(3), st.floats(0, 3)),
    st.builds(Bandwidth, st.floats(2_000, 20_000)),
    st.builds(Slicer, st.integers(500, 5000), st.integers(0, 400), st.floats(0, 10)),
)
PLACED = st.tuples(SMALL_FAULTS, st.sampled_from(list(Direction)))


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


async def test_a_receiver_that_reads_late_gets_everything():
    data = random.Random(1).randbytes(32 * 1024 * 1024)
    heard = bytearray()

    async def dawdle(reader, writer):
        writer.transport.pause_reading()
        await asyncio.sleep(0.5)
        writer.transport.resume_reading()
        while some := await reader.read(1 << 20):
            heard.extend(some)
        writer.write(b".")
        await writer.drain()

    async with proxied(serve=dawdle) as (proxy, _), connected(proxy) as (reader, writer):
        writer.write(data)
        writer.write_eof()

        assert await reader.read(1) == b"."
        assert heard == data


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


async def test_a_connection_that_ends_takes_what_was_under_way_with_it():
    def timers():
        return [each for each in asyncio.get_running_loop()._scheduled if not each.cancelled()]

    async with proxied() as (proxy, _):
        with proxy.fault(Latency(600_000)):
            async with connected(proxy) as (_, writer):
                writer.write(b"hello")
                await until(lambda: proxy.held)
                proxy.add(Down())
                await until(lambda: not proxy.connections)
        assert not timers()


async def test_at_the_end_of_its_block_it_has_let_go_of_all_connections():
    async with proxied() as (ahead, _):
        async with FaultProxy(ahead.port, rng=random.Random(1)) as proxy:
            with socket.create_connection(("127.0.0.1", proxy.port)):
                await until(lambda: ahead.connections)

        assert proxy.connections == 0


async def one_exchange(proxy):
    async with connected(proxy) as connection:
        assert await echoed(connection, b"hello") == b"hello"


# Down


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


# Chance


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
