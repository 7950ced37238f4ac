"""How Ctrl-C and SIGTERM end what runs in asyncio: once, and with all its tidying up."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130  # exit code, as shells have it for SIGINT


@contextmanager
def cancelled_by_signals() -> Iterator[None]:
    """Within the block the first SIGINT or SIGTERM cancels this task; further ones do nothing: it is ending already."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    received = False

    def cancel() -> None:
        nonlocal received
        if not received and task is not None:
            received = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, cancel)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
