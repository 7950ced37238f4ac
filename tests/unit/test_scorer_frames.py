"""Frames between the worker and its scorer: whole however they are cut, and nonsense is no frame."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.deciding.scorer_frames import (
    HEADER,
    LARGEST_PAYLOAD,
    TOP,
    Answer,
    Frame,
    FrameBuffer,
    Kind,
    MalformedFrame,
    frame,
    read_answer,
    write_answer,
)

frames = st.builds(
    Frame,
    kind=st.sampled_from(Kind),
    request=st.integers(0, 2**64 - 1),
    rows=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=60),
)


def on_the_wire(each: Frame) -> bytes:
    return frame(each.kind, each.request, each.payload, rows=each.rows)


@given(st.lists(frames, max_size=5), st.lists(st.integers(0, 300)))
def test_frames_come_out_whole_however_their_bytes_are_cut(sent: list[Frame], cuts: list[int]) -> None:
    data = b"".join(map(on_the_wire, sent))
    buffer, heard, done = FrameBuffer(), [], 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        heard += buffer.feed(data[done:cut])
        done = cut
    assert heard == sent


@given(st.lists(frames, min_size=1, max_size=3))
def test_frames_come_out_whole_byte_by_byte(sent: list[Frame]) -> None:
    buffer = FrameBuffer()
    heard = [each for byte in b"".join(map(on_the_wire, sent)) for each in buffer.feed(bytes([byte]))]
    assert heard == sent


@pytest.mark.parametrize("kind", [0, 8, 255])
def test_an_unknown_kind_is_no_frame(kind: int) -> None:
    with pytest.raises(MalformedFrame):
        FrameBuffer().feed(HEADER.pack(kind, 1, 0, 0))


def test_a_payload_beyond_the_largest_is_no_frame() -> None:
    assert FrameBuffer().feed(HEADER.pack(Kind.LOAD, 1, 0, LARGEST_PAYLOAD)) == []
    with pytest.raises(MalformedFrame):
        FrameBuffer().feed(HEADER.pack(Kind.LOAD, 1, 0, LARGEST_PAYLOAD + 1))


@given(st.binary(max_size=200))
def test_garbage_is_frames_or_malformed_and_nothing_else(garbage: bytes) -> None:
    try:
        heard = FrameBuffer().feed(garbage)
    except MalformedFrame:
        return
    assert sum(HEADER.size + len(each.payload) for each in heard) <= len(garbage)


@given(st.integers(0, 50), st.integers(0, 2**32 - 1))
def test_an_answer_comes_back_bit_by_bit(rows: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    answer = Answer(
        seed,
        (chance.random(), np.inf),
        chance.random(rows),
        chance.normal(size=(rows, TOP + 2)),
        chance.random((rows, 2)),
        chance.integers(0, 28, (rows, TOP)).astype("<u2"),
    )
    (heard,) = FrameBuffer().feed(write_answer(7, answer))
    assert (heard.kind, heard.request, heard.rows) == (Kind.SCORES, 7, rows)
    for sent, read in zip(answer, read_answer(heard), strict=True):
        assert np.array_equal(sent, read)


@pytest.mark.parametrize(("rows", "size"), [(1, 0), (1, 109), (1, 111), (2, 110), (2**32 - 1, 110), (0, 0), (0, 21)])
def test_an_answer_whose_length_does_not_fit_is_malformed(rows: int, size: int) -> None:
    with pytest.raises(MalformedFrame):
        read_answer(Frame(Kind.SCORES, 1, rows, b"x" * size))
