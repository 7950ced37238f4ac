"""What each fault lets through of one direction, and when, in time that is given."""

import math
import random

import pytest
from chaos.fault_chain import CHUNK_BYTES, Ending, FaultChain
from chaos.faults import CATCH_UP_SECONDS, Bandwidth, BlackHole, Latency, LimitData, ResetPeer, Slicer
from hypothesis import given
from hypothesis import strategies as st
from support.chained import arrivals, chain_of, popped, random_bytes


def test_chunks_under_way_do_not_wait_for_each_other():
    chain = chain_of(Latency(100))
    for number in range(50):
        chain.put(bytes([number]), number / 1000)

    found = arrivals(chain)

    assert [when for when, _ in found] == pytest.approx([0.1 + number / 1000 for number in range(50)])


@given(st.floats(0, 100), st.integers(0, 1000))
def test_jitter_is_within_its_bounds_and_keeps_the_order(jitter_ms, seed):
    chain = FaultChain()
    chain.add("late", Latency(100, jitter_ms).stage(random.Random(seed)))
    for number in range(50):
        chain.put(bytes([number]), 0.0)

    found = arrivals(chain)

    assert b"".join(piece for _, piece in found) == bytes(range(50))
    assert all((100 - jitter_ms) / 1000 <= when <= (100 + jitter_ms) / 1000 + 1e-9 for when, _ in found)


def test_jitter_varies():
    chain = chain_of(Latency(100, 50))
    for _ in range(200):
        chain.put(b"x", 0.0)

    assert len({when for when, _ in arrivals(chain)}) > 1


@given(st.floats(1, 1e5), st.integers(1, CHUNK_BYTES))
def test_bandwidth_takes_its_time_and_no_longer(rate_kb, count):
    chain = chain_of(Bandwidth(rate_kb))
    chain.put(random_bytes(count), 100.0)

    last, _ = arrivals(chain, 100.0)[-1]

    assert last - 100 == pytest.approx(max(0, count / rate_kb / 1000 - CATCH_UP_SECONDS))


def test_bandwidth_is_kept_over_many_chunks():
    chain, now, arrived = chain_of(Bandwidth(100)), 0.0, 0
    while now < 10:
        for _ in range(100):
            if chain.has_room():
                chain.put(bytes(1000), now)
        now += 0.005
        chain.advance(now)
        arrived += sum(map(len, popped(chain)))

    assert 990_000 <= arrived <= 1_010_000


@given(st.integers(2, 3000), st.data())
def test_slices_have_about_the_size_they_are_given(average, data):
    variation = data.draw(st.integers(0, average - 1))
    chain = chain_of(Slicer(average, variation))
    chain.put(random_bytes(CHUNK_BYTES), 0.0)

    pieces = popped(chain)

    assert all(average - variation <= len(piece) <= average + variation for piece in pieces[:-1])
    assert len(pieces[-1]) <= average + variation


def test_slices_come_one_after_the_other():
    chain = chain_of(Slicer(10, 0, delay_us=1000))
    chain.put(bytes(100), 5.0)

    assert [when for when, _ in arrivals(chain, 5.0)] == pytest.approx([5 + number / 1000 for number in range(10)])


@given(st.lists(st.integers(1, 300), min_size=1), st.integers(0, 2000))
def test_no_byte_above_the_limit_passes_and_then_it_closes(sizes, limit):
    chain = chain_of(LimitData(limit))
    for size in sizes:
        chain.put(random_bytes(size, size), 0.0)

    arrived = b"".join(piece for _, piece in arrivals(chain))

    assert arrived == b"".join(random_bytes(size, size) for size in sizes)[:limit]
    assert (chain.ending() is Ending.CLOSE) == (sum(sizes) >= limit)


def test_a_limit_closes_only_when_what_passed_it_is_delivered():
    chain = chain_of(LimitData(10), Latency(100))
    chain.put(bytes(20), 0.0)
    assert chain.ending() is None

    [(when, piece)] = arrivals(chain)

    assert (when, piece) == (0.1, bytes(10))
    assert chain.ending() is Ending.CLOSE


def test_a_limit_that_is_reached_waits_for_nothing_before_it():
    chain = chain_of(Latency(100), LimitData(1))
    chain.put(b"passes", 0.0)
    chain.put(b"too late", 0.05)

    chain.advance(0.1)

    assert popped(chain) == [b"p"]
    assert chain.ending() is Ending.CLOSE


def test_a_limit_that_is_reached_and_taken_away_closes_all_the_same():
    chain = chain_of(LimitData(1), Latency(100))
    chain.put(b"passes", 0.0)
    chain.remove(0, 0.0)
    chain.put(b"too late", 0.0)

    assert arrivals(chain) == [(0.1, b"p")]
    assert chain.ending() is Ending.CLOSE


def test_a_black_hole_drops_without_pressure_and_must_close_what_was_in_it():
    chain = chain_of(BlackHole())
    for _ in range(100):
        assert chain.has_room()
        chain.put(bytes(CHUNK_BYTES), 0.0)

    assert chain.held == 0
    assert chain.remove(0, 1.0)
    assert popped(chain) == []


def test_who_hangs_up_is_gone_through_a_black_hole_too():
    chain = chain_of(BlackHole())
    chain.put(b"lost", 0.0)
    chain.end()

    assert chain.ending() is Ending.HALF


def test_a_reset_comes_its_time_after_the_first_data_and_not_before():
    chain = chain_of(ResetPeer(200))
    chain.advance(100.0)
    assert chain.due_at() == math.inf

    chain.put(b"first", 100.0)
    chain.put(b"second", 100.1)

    assert chain.due_at() == 100.2
    assert chain.ending() is None
    chain.advance(100.2)
    assert chain.ending() is Ending.RESET
    assert popped(chain) == []


def test_a_reset_taken_away_in_time_loses_nothing():
    chain = chain_of(ResetPeer(200))
    chain.put(b"first", 0.0)

    chain.remove(0, 0.1)
    chain.advance(1.0)

    assert popped(chain) == [b"first"]
    assert chain.ending() is None


NO_SENSE = [(Latency, 10, 11), (Latency, -1), (Bandwidth, 0), (Slicer, 9, 9), (ResetPeer, -1), (LimitData, -1)]


@pytest.mark.parametrize("case", NO_SENSE, ids=str)
def test_a_fault_that_makes_no_sense_is_refused(case):
    fault, *values = case
    with pytest.raises(ValueError, match="not "):
        fault(*values)
