"""How a process tells its supervisor that it is ready: one line on a pipe that the supervisor named."""

import contextlib
import os

READY_FD = "HOLDFAST_READY_FD"


def tell_ready(who: str) -> None:
    """Say so once, where somebody listens."""
    number = os.environ.pop(READY_FD, None)
    if number is None:
        return
    with contextlib.suppress(OSError):
        os.write(int(number), f"{who}\n".encode())
        os.close(int(number))
