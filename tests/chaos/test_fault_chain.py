"""Faults on one direction, in time that is given: what arrives, when, and how much is held meanwhile."""

import math
import random

import pytest
from chaos.fault_chain import CHUNK_BYTES, WIRE_BYTES, Ending, FaultChain
from chaos.faults import CATCH_UP_SECONDS, Bandwidth, BlackHole, Latency, LimitData, ResetPeer, Slicer
from hypothesis import given
from hypothesis import strategies as st

HARMLESS = st.one_of(
    st.builds(Latency, st.floats(50, 500), st.floats(0, 50)),
    st.builds(Bandwidth, st.floats(1, 1000)),
    st.builds(Slicer, st.integers(50, 5000), st.integers(0, 49), st.floats(0, 5000)),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, CHUNK_BYTES)),
        st.tuples(st.just("wait"), st.floats(0, 1)),
        st.tuples(st.just("add"), HARMLESS),
        st.tuples(st.just("remove"), st.integers(0, 10)),
    ),
    max_size=40,
)


def chain_of(*faults):
    chain = FaultChain()
    for number, fault in enumerate(faults):
        chain.add(number, fault.stage(random.Random(number)))
    return chain


def popped(chain):
    """What is out now, piece by piece."""
    return list(iter(chain.pop, None))


def arrivals(chain, now=0.0):
    """All that comes out from now on by itself, as (when, piece)."""
    found = [(now, piece) for piece in popped(chain)]
    while (now := chain.due_at()) < math.inf:
        chain.advance(now)
        found += [(now, piece) for piece in popped(chain)]
    return found


def random_bytes(count, seed=1):
    return random.Random(seed).randbytes(count)


def passed(steps):
    """Walk the steps, taking what comes out at random; (what was sent, what arrived, the chain)."""
    chain, now, dice = FaultChain(), 0.0, random.Random(1)
    sent, arrived, present = b"", b"", []
    for number, (step, value) in enumerate(steps):
        if step == "send" and chain.has_room():
            data = random_bytes(value, number)
            sent += data
            chain.put(data, now)
        elif step == "wait":
            now += value
            chain.advance(now)
        elif step == "add":
            present.append(number)
            chain.add(number, value.stage(dice))
        elif step == "remove" and present:
            chain.remove(present.pop(value % len(present)), now)
        assert chain.held == len(sent) - len(arrived)
        if dice.random() < 0.7:
            arrived += b"".join(popped(chain))
    return sent, arrived, chain


@given(STEPS)
def test_what_is_sent_arrives_unchanged_whatever_harmless_faults_come_and_go(steps):
    sent, arrived, chain = passed(steps)

    chain.end()
    arrived += b"".join(piece for _, piece in arrivals(chain))

    assert arrived == sent
    assert chain.ending() is Ending.HALF


@given(st.lists(HARMLESS.filter(lambda fault: not isinstance(fault, Latency)), max_size=4))
def test_a_receiver_that_does_not_read_stops_the_sender_before_64_kib_are_held(faults):
    chain = chain_of(*faults)
    now = 0.0
    while chain.has_room():
        chain.put(random_bytes(CHUNK_BYTES), now)
        now += 0.001
        chain.advance(now)
        assert chain.held <= 48 * 1024


def test_latency_does_not_stop_the_sender_until_its_wire_is_full():
    chain = chain_of(Latency(1000))
    while chain.has_room():
        chain.put(bytes(CHUNK_BYTES), 0.0)
        assert chain.held <= WIRE_BYTES + CHUNK_BYTES

    assert chain.held >= WIRE_BYTES


def test_what_latency_has_let_go_of_counts_as_held():
    chain = chain_of(Latency(10))
    chain.put(bytes(CHUNK_BYTES), 0.0)
    chain.put(bytes(CHUNK_BYTES), 0.0)
    assert chain.has_room()

    chain.advance(0.01)

    assert not chain.has_room()


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


def test_faults_work_in_the_order_they_were_applied():
    hole_first, reset_first = chain_of(BlackHole(), ResetPeer()), chain_of(ResetPeer(), BlackHole())

    hole_first.put(b"x", 0.0)
    reset_first.put(b"x", 0.0)

    assert hole_first.ending() is None
    assert reset_first.ending() is Ending.RESET


def test_what_is_late_is_then_slow():
    chain = chain_of(Latency(1000), Bandwidth(10))
    chain.put(bytes(3000), 0.0)

    assert [when for when, _ in arrivals(chain)] == pytest.approx([1.08, 1.18, 1.28])


def test_a_fault_taken_away_lets_go_of_what_it_held():
    chain = chain_of(Latency(60_000), Bandwidth(1000))
    chain.put(b"first", 0.0)

    must_close = chain.remove(0, 1.0)
    chain.advance(1.1)

    assert popped(chain) == [b"first"]
    assert not must_close


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


def test_a_half_ends_after_all_that_was_sent():
    chain = chain_of(Latency(100))
    chain.put(b"late", 0.0)
    chain.end()
    assert chain.ending() is None

    assert arrivals(chain) == [(0.1, b"late")]
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
