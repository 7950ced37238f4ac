"""Answers are handed over one by one and whole, however they come; a connection that makes no sense is closed."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from aiokafka.conn import CloseReason
from aiokafka.errors import KafkaConnectionError
from hypothesis import given
from hypothesis import strategies as st

from streams.broker import connections
from streams.broker.connections import _Answers, _send_or_close


class Connection:
    """What is told to a connection of aiokafka."""

    host, port = "h", 1

    def __init__(self, *, readable: int = 1_000) -> None:
        self.heard: list[bytes] = []
        self.closed: list[tuple[CloseReason, Exception]] = []
        self._readable = readable

    def _handle_frame(self, answer: bytes) -> None:
        if len(self.heard) == self._readable:
            raise ValueError("makes no sense")
        self.heard.append(answer)

    def close(self, reason: CloseReason, exc: Exception) -> None:
        self.closed.append((reason, exc))


class Theirs(asyncio.Protocol):
    """aiokafka's own."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in ("told", "eof_received", "__class__"):
            return super().__getattribute__(name)
        return lambda *_: self.told.append(name)

    def eof_received(self) -> bool:
        self.told.append("eof_received")
        return True


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def sent(answers: list[bytes]) -> bytes:
    return b"".join(len(each).to_bytes(4, "big") + each for each in answers)


@given(st.lists(st.binary(max_size=12), max_size=6), st.lists(st.integers(0, 96), max_size=8))
def test_answers_are_whole_wherever_they_are_cut(answers: list[bytes], cuts: list[int]) -> None:
    loop = asyncio.new_event_loop()
    connection, data = Connection(), sent(answers)
    ours = _Answers(connection, Theirs(), loop.create_future())  # type: ignore[arg-type]
    places = [0, *sorted(min(each, len(data)) for each in cuts), len(data)]
    for begin, end in pairwise(places):
        ours.data_received(data[begin:end])
        whole = [each for number, each in enumerate(answers) if len(sent(answers[: number + 1])) <= end]
        assert connection.heard == whole
    loop.close()


def test_an_answer_that_makes_no_sense_ends_the_connection(loop: asyncio.AbstractEventLoop) -> None:
    connection, ended = Connection(readable=1), loop.create_future()
    ours = _Answers(connection, Theirs(), ended)  # type: ignore[arg-type]
    ours.data_received(sent([b"a", b"b", b"c"]))
    assert connection.heard == [b"a"]
    [(reason, why)] = connection.closed
    assert (reason, str(why)) == (CloseReason.CONNECTION_BROKEN, "makes no sense")
    assert ended.done()
    ours.data_received(sent([b"d"]))
    assert connection.heard == [b"a"]


def test_the_end_is_told_once_and_to_aiokafka_too(loop: asyncio.AbstractEventLoop) -> None:
    connection, theirs, ended = Connection(), Theirs(), loop.create_future()
    ours = _Answers(connection, theirs, ended)  # type: ignore[arg-type]
    ours.pause_writing()
    ours.resume_writing()
    assert ours.eof_received() is True
    ours.connection_lost(OSError("gone"))
    assert theirs.told == ["pause_writing", "resume_writing", "eof_received", "connection_lost"]
    [(reason, why)] = connection.closed
    assert reason is CloseReason.CONNECTION_BROKEN
    assert isinstance(why, EOFError)


def test_a_lost_connection_is_closed_with_what_it_was_lost_by(loop: asyncio.AbstractEventLoop) -> None:
    connection = Connection()
    _Answers(connection, Theirs(), loop.create_future()).connection_lost(OSError("gone"))  # type: ignore[arg-type]
    assert [str(why) for _, why in connection.closed] == ["gone"]


def test_a_write_that_uvloop_refuses_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise RuntimeError("the handler is closed")

    monkeypatch.setattr(connections, "_send", refused)
    connection = Connection()
    with pytest.raises(KafkaConnectionError, match="the handler is closed"):
        _send_or_close(connection, None)
    assert [reason for reason, _ in connection.closed] == [CloseReason.CONNECTION_BROKEN]
