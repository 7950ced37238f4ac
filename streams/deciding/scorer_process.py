"""The scorer process: a feature matrix in, probabilities out. A process of its own, so that it can be killed.

Forked by the nursery, and gone when that or the worker is.
"""

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from typing import NoReturn
from zlib import crc32

import numpy as np
import orjson

from models.features import FEATURES
from models.linear import LinearScorer
from models.snapshot import SnapshotInvalid, from_plain
from models.verifying import verify
from streams.broker.leash import PR_SET_PDEATHSIG
from streams.deciding.misbehaving import Misbehaviour
from streams.deciding.scorer_frames import Answer, Frame, FrameBuffer, Kind, frame, write_answer
from streams.wire.scorer_fault import FaultKind, ScorerFault


class Scorer:
    """Answers frames one at a time."""

    def __init__(self) -> None:
        self._model: LinearScorer | None = None
        self._misbehaviour = Misbehaviour()

    def answer(self, asked: Frame) -> bytes:
        """The answering frame; an error becomes a FAILED frame. Raises nothing but MemoryError."""
        try:
            if asked.kind is Kind.SCORE:
                return self._score(asked)
            if asked.kind is Kind.LOAD:
                return self._load(asked)
            if asked.kind is Kind.FAULT:
                told = orjson.loads(asked.payload)
                self._misbehaviour.told(ScorerFault(kind=FaultKind(told["kind"]), delay_ms=told["delay_ms"]))
                return frame(Kind.LOADED, asked.request, b"")
        except SnapshotInvalid as error:
            return frame(Kind.REFUSED, asked.request, str(error).encode())
        except MemoryError:
            raise  # what it holds by now is of no use to anybody: the next process begins anew
        except Exception as error:  # noqa: BLE001 - whatever a model raises, the worker must hear of it
            return frame(Kind.FAILED, asked.request, f"{type(error).__name__}: {error}".encode()[:500])
        return frame(Kind.FAILED, asked.request, f"unexpected {asked.kind.name}".encode())

    def _load(self, asked: Frame) -> bytes:
        self._model = verify(from_plain(orjson.loads(asked.payload), to_learn=False))
        return frame(Kind.LOADED, asked.request, self._model.model_version.encode())

    def _score(self, asked: Frame) -> bytes:
        if self._model is None:
            return frame(Kind.FAILED, asked.request, b"no snapshot")
        self._misbehaviour.before_scoring()
        matrix = np.frombuffer(asked.payload, "<f8").reshape(asked.rows, len(FEATURES))
        scores = self._model.score(matrix)
        answer = Answer(
            crc32(asked.payload),
            scores.bounds,
            scores.probabilities,
            scores.log_odds,
            scores.p_values,
            scores.features.astype("<u2"),
        )
        return write_answer(asked.request, self._misbehaviour.spoilt(answer))

    def pieces(self, answer: bytes) -> Iterator[bytes]:
        """The bytes of an answer as they are to be sent: in one, unless it was told otherwise."""
        return self._misbehaviour.pieces(answer)


def serve(connection: socket.socket) -> None:
    """Answer until the other side closes."""
    scorer, buffer = Scorer(), FrameBuffer()
    while data := connection.recv(1 << 20):
        for asked in buffer.feed(data):
            for piece in scorer.pieces(scorer.answer(asked)):
                connection.sendall(piece)


def die_with(parent: int) -> None:
    """Have Linux kill this process with its parent's main thread: also where it sleeps in C code or is stopped."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before it could be told
        os._exit(0)


def take_no_more_than(megabytes: int) -> None:
    """Have the system refuse this process more memory: the worker beside it, and its broker, need theirs."""
    most = megabytes << 20
    with contextlib.suppress(ValueError, OSError):  # a lower limit is in force already, or the system knows none
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def become_scorer(descriptor: int, *, memory_mb: int, parent: int) -> NoReturn:
    """Be a scorer on this socket, with so much memory, until the socket closes; then end."""
    try:
        die_with(parent)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        take_no_more_than(memory_mb)
        with socket.socket(fileno=descriptor) as connection, contextlib.suppress(ConnectionError):
            serve(connection)
    except BaseException:  # noqa: BLE001 - what the nursery would do with it is not for a scorer to do
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
