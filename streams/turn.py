"""How a spare process waits for its turn: everything is imported, and nothing is connected yet."""

import os

TURN_FD = "HOLDFAST_TURN_FD"


def is_spare() -> bool:
    """Whether a supervisor has named a pipe through which the turn will come."""
    return TURN_FD in os.environ


def await_turn() -> bool:
    """Wait for it; False at the end of who could have given it."""
    with os.fdopen(int(os.environ.pop(TURN_FD)), "rb", buffering=0) as pipe:
        return bool(pipe.read(1))
