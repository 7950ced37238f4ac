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
    """What `holdfast` starts with this; stopped after the block. What it says goes to the log."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "streams.operating.cli", *command], env=environment, stderr=output
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def running_worker(
    environment: Mapping[str, str], log: Path, instance: str = "worker-1"
) -> AbstractContextManager[psutil.Process]:
    """A worker of this name, as `running`."""
    return running(("worker", "--instance", instance), environment, log)
