"""How a scorer does wrong when it is told to: each way in which models fail, brought about for real."""

import ctypes
import os
import time
from collections.abc import Iterator

import numpy as np

from streams.deciding.scorer_frames import Answer
from streams.wire.scorer_fault import FaultKind, ScorerFault

ALLOCATED_BYTES = 2 << 30


class Misbehaviour:
    """Of one scorer process; none to begin with."""

    def __init__(self) -> None:
        self._fault = ScorerFault(kind=FaultKind.NONE)
        self._before: Answer | None = None
        self._held = b""

    def told(self, fault: ScorerFault) -> None:
        """Do this from now on."""
        self._fault = fault

    def before_scoring(self) -> None:
        """What goes wrong before there is an answer; some of it does not return."""
        match self._fault.kind:
            case FaultKind.SLEEP:
                time.sleep(self._fault.delay_ms / 1000)
            case FaultKind.SPIN:
                while True:
                    pass
            case FaultKind.ALLOCATE if not self._held:
                self._held = b"\1" * ALLOCATED_BYTES
            case FaultKind.EXIT:
                os._exit(1)
            case FaultKind.SEGFAULT:
                ctypes.string_at(0)
            case FaultKind.RAISE:
                raise ArithmeticError("as told")

    def spoilt(self, answer: Answer) -> Answer:
        """The answer that is given in place of the right one."""
        before, self._before = self._before, answer
        match self._fault.kind:
            case FaultKind.NAN:
                return answer._replace(probabilities=np.full_like(answer.probabilities, np.nan))
            case FaultKind.OUT_OF_RANGE:
                return answer._replace(probabilities=np.full_like(answer.probabilities, 2.0))
            case FaultKind.TOO_FEW:
                return answer._replace(
                    probabilities=answer.probabilities[:-1],
                    log_odds=answer.log_odds[:-1],
                    p_values=answer.p_values[:-1],
                    features=answer.features[:-1],
                )
            case FaultKind.PREVIOUS if before is not None:
                return before
        return answer

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The bytes of an answer as they are to be sent."""
        if self._fault.kind is not FaultKind.TRICKLE:
            yield data
            return
        for place in range(len(data)):
            time.sleep(self._fault.delay_ms / 1000)
            yield data[place : place + 1]
