"""Frames between the worker and its scorer process: fixed headers, float64 matrices, nothing pickled.

header   kind u8 · request id u64 · rows u32 · payload length u32   (little-endian)
SCORE    rows x features float64                        worker -> scorer
SCORES   CRC-32 of the matrix asked about u32, rows float64 probabilities, then rows x TOP u16 feature numbers, then
         rows x TOP float32 log-odds
LOAD     a snapshot as JSON                             worker -> scorer
LOADED / REFUSED / FAILED   text                        scorer -> worker
FAULT    a streams.wire.scorer_fault.ScorerFault as JSON; sent in a sandbox only
"""

import struct
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HEADER = struct.Struct("<BQII")
QUESTION = struct.Struct("<I")
TOP = 3  # contributions told for each row
LARGEST_PAYLOAD = 64 * 1024 * 1024

Matrix = NDArray[np.float64]


class Kind(IntEnum):
    """What a frame is."""

    SCORE = 1
    SCORES = 2
    LOAD = 3
    LOADED = 4
    REFUSED = 5
    FAILED = 6
    FAULT = 7


class Frame(NamedTuple):
    """One frame; `request` ties an answer to its question."""

    kind: Kind
    request: int
    rows: int
    payload: bytes


class MalformedFrame(Exception):
    """The other side does not keep to the protocol."""


class Answer(NamedTuple):
    """To which question; probabilities (rows,); for each row TOP feature numbers and their parts of the log-odds."""

    question: int  # CRC-32 of the matrix: an answer to another one has nothing else to tell it by
    probabilities: NDArray[np.float64]
    features: NDArray[np.uint16]
    log_odds: NDArray[np.float32]


def frame(kind: Kind, request: int, payload: bytes, *, rows: int = 0) -> bytes:
    """Bytes of a frame."""
    return HEADER.pack(kind, request, rows, len(payload)) + payload


def write_answer(request: int, answer: Answer) -> bytes:
    """Bytes of a SCORES frame."""
    rows = len(answer.probabilities)
    payload = b"".join(
        (
            QUESTION.pack(answer.question),
            answer.probabilities.tobytes(),
            answer.features.tobytes(),
            answer.log_odds.tobytes(),
        )
    )
    return frame(Kind.SCORES, request, payload, rows=rows)


def read_answer(answer: Frame) -> Answer:
    """The arrays of a SCORES frame; MalformedFrame where the lengths do not fit."""
    rows = answer.rows
    if len(answer.payload) != QUESTION.size + rows * (8 + TOP * (2 + 4)):
        raise MalformedFrame(f"an answer of {rows} rows has {len(answer.payload)} bytes")
    (question,) = QUESTION.unpack_from(answer.payload)
    columns = memoryview(answer.payload)[QUESTION.size :]
    probabilities = np.frombuffer(columns, "<f8", rows)
    features = np.frombuffer(columns, "<u2", rows * TOP, offset=rows * 8).reshape(rows, TOP)
    log_odds = np.frombuffer(columns, "<f4", rows * TOP, offset=rows * (8 + 2 * TOP)).reshape(rows, TOP)
    return Answer(question, probabilities, features, log_odds)


class FrameBuffer:
    """Bytes in as they come, whole frames out."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Frames completed by `data`; MalformedFrame where no frame can begin so."""
        self._bytes += data
        frames = []
        while len(self._bytes) >= HEADER.size:
            kind, request, rows, length = HEADER.unpack_from(self._bytes)
            if kind not in Kind._value2member_map_ or length > LARGEST_PAYLOAD:
                raise MalformedFrame(f"kind {kind}, {length} bytes")
            end = HEADER.size + length
            if len(self._bytes) < end:
                break
            frames.append(Frame(Kind(kind), request, rows, bytes(self._bytes[HEADER.size : end])))
            del self._bytes[:end]
        return frames
