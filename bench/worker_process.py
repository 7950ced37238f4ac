"""One worker in a process of its own, to be watched from outside."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

STOP_SECONDS = 300.0


@contextmanager
def running_worker(environment: Mapping[str, str], log: Path, instance: str = "worker-1") -> Iterator[psutil.Process]:
    """Started, and stopped after the block; what it says goes to the log."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "streams.operating.cli", "worker", "--instance", instance],
            env=environment,
            stderr=output,
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
