"""Faults on one direction: in which order they work, how much is held, and that nothing is lost by accident."""

import random

import pytest
from chaos.fault_chain import CHUNK_BYTES, WIRE_BYTES, Ending, FaultChain
from chaos.faults import Bandwidth, BlackHole, Latency, ResetPeer, Slicer
from hypothesis import given
from hypothesis import strategies as st
from support.chained import arrivals, chain_of, popped, random_bytes

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
    chain = chain_of(Latency(60_000), Latency(100))
    chain.put(b"first", 0.0)

    must_close = chain.remove(0, 1.0)

    assert arrivals(chain, 1.0) == [(1.1, b"first")]
    assert not must_close


def test_a_half_ends_after_all_that_was_sent():
    chain = chain_of(Latency(100))
    chain.put(b"late", 0.0)
    chain.end()
    assert chain.ending() is None

    assert arrivals(chain) == [(0.1, b"late")]
    assert chain.ending() is Ending.HALF
