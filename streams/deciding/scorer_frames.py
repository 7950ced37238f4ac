"""Frames between the worker and its scorer process: fixed headers, float64 matrices, nothing pickled.

header   kind u8 · request id u64 · rows u32 · payload length u32   (little-endian)
SCORE    rows x features float64                        worker -> scorer
SCORES   CRC-32 of the matrix asked about u32, 2 float64 bounds; then, each for all rows, float64 probabilities,
         TOP + 2 float64 log-odds, 2 float64 p-values, TOP u16 feature numbers; as of models.linear.Scores
LOAD     a snapshot as JSON, the learner's parts left out   worker -> scorer
LOADED / REFUSED / FAILED   text                        scorer -> worker
FAULT    a streams.wire.scorer_fault.ScorerFault as JSON; sent in a sandbox only
"""

import struct
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HEADER = struct.Struct("<BQII")
QUESTION = struct.Struct("<Idd")  # and the bounds
TOP = 5  # features told for each row
_FLOATS = 1 + TOP + 2 + 2  # for each row: probability, log-odds, p-values
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
    """To which question, and the scores, as of `models.linear.Scores`."""

    question: int  # CRC-32 of the matrix: an answer to another one has nothing else to tell it by
    bounds: tuple[float, float]
    probabilities: Matrix  # (rows,)
    log_odds: Matrix  # (rows, TOP + 2)
    p_values: Matrix  # (rows, 2)
    features: NDArray[np.uint16]  # (rows, TOP)


def frame(kind: Kind, request: int, payload: bytes, *, rows: int = 0) -> bytes:
    """Bytes of a frame."""
    return HEADER.pack(kind, request, rows, len(payload)) + payload


def write_answer(request: int, answer: Answer) -> bytes:
    """Bytes of a SCORES frame."""
    rows = len(answer.probabilities)
    payload = b"".join(
        (
            QUESTION.pack(answer.question, *answer.bounds),
            answer.probabilities.tobytes(),
            answer.log_odds.tobytes(),
            answer.p_values.tobytes(),
            answer.features.tobytes(),
        )
    )
    return frame(Kind.SCORES, request, payload, rows=rows)


def read_answer(answer: Frame) -> Answer:
    """The arrays of a SCORES frame; MalformedFrame where the lengths do not fit."""
    rows = answer.rows
    if len(answer.payload) != QUESTION.size + rows * (8 * _FLOATS + 2 * TOP):
        raise MalformedFrame(f"an answer of {rows} rows has {len(answer.payload)} bytes")
    question, *bounds = QUESTION.unpack_from(answer.payload)
    floats = np.frombuffer(answer.payload, "<f8", rows * _FLOATS, offset=QUESTION.size)
    probabilities, log_odds, p_values = np.split(floats, (rows, rows * (1 + TOP + 2)))
    features = np.frombuffer(answer.payload, "<u2", rows * TOP, offset=QUESTION.size + floats.nbytes)
    return Answer(
        question,
        (bounds[0], bounds[1]),
        probabilities,
        log_odds.reshape(rows, TOP + 2),
        p_values.reshape(rows, 2),
        features.reshape(rows, TOP),
    )


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
