"""Processes of the product, to be watched from outside."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil

STOP_SECONDS = 300.0


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[psutil.Process]:
    """What `holdfast` starts with this; stopped after the block. What it says goes to the log.

    Raises RuntimeError if it ended by itself, and not because somebody killed it.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "streams.operating.cli", *command], env=environment, stderr=output
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        ended = process.poll()
        process.terminate()
        process.wait(STOP_SECONDS)
        if ended is not None and ended > 0:
            last = log.read_text("utf-8", "replace").splitlines()[-1:]
            raise RuntimeError(f"{command[0]} ended with {ended}: {''.join(last)}")


def running_worker(
    environment: Mapping[str, str], log: Path, instance: str = "worker-1"
) -> AbstractContextManager[psutil.Process]:
    """A worker of this name, as `running`."""
    return running(("worker", "--instance", instance), environment, log)
