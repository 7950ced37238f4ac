"""What clients and servers see of each fault, over real sockets: its effect, its direction, and its removal."""

import asyncio
import random
import time
from contextlib import suppress

import pytest
from chaos.proxy import Bandwidth, BlackHole, Direction, Latency, LimitData, ResetPeer, Slicer
from support.proxied import connected, deaf, echoed, proxied, seconds_of, silent, until


async def test_latency_delays_an_answer_and_no_longer_once_it_is_removed():
    async with proxied() as (proxy, _), connected(proxy) as connection:
        with proxy.fault(Latency(600), direction=Direction.DOWNSTREAM):
            delayed = await seconds_of(echoed(connection, b"hello"))
        at_once = await seconds_of(echoed(connection, b"hello"))

    assert delayed >= 0.59
    assert at_once < 0.59


async def test_what_a_fault_held_arrives_once_it_is_removed():
    async with proxied() as (proxy, _), connected(proxy) as (reader, writer):
        with proxy.fault(Latency(60_000)):
            writer.write(b"hello")
            assert await silent(reader)

        assert await reader.readexactly(5) == b"hello"


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
        with proxy.fault(Bandwidth(100), direction=Direction.UPSTREAM):
            slow = await seconds_of(echoed(connection, data))
        fast = await seconds_of(echoed(connection, data))

    assert slow >= 0.9
    assert fast < 0.9


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
        with proxy.fault(Slicer(100, 20, delay_us=50_000), direction=Direction.DOWNSTREAM):
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


async def test_several_faults_work_at_once():
    async with proxied() as (proxy, _), connected(proxy) as connection:
        with (
            proxy.fault(Latency(200), direction=Direction.DOWNSTREAM),
            proxy.fault(Bandwidth(100), direction=Direction.UPSTREAM),
            proxy.fault(Slicer(500, 100)),
        ):
            assert await seconds_of(echoed(connection, bytes(60_000))) >= 0.75
        assert await seconds_of(echoed(connection, bytes(60_000))) < 0.75
