"""Processes of the product, run by tests: started by id, ready when they say so, ended always, heard when they fail."""

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from streams.ready_signal import READY_FD

READY_SECONDS = 60.0
END_SECONDS = 15.0
WORKER = ("-m", "faust", "-A", "streams.worker", "worker", "-l", "warn", "--without-web")


class NotReady(Exception):
    """A process ended, or the time did, before it said that it was ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A process with all its children in a group of its own."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def pid(self) -> int:
        """The leader of the group."""
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """Kill it without a word, as a power cut would; its children find out by themselves."""
        self.process.kill()
        self.process.wait()

    def said(self) -> str:
        """What it has written to its standard output and error."""
        return self.log.read_text(errors="replace")

    def exposed(self) -> str:
        """All its metrics, as Prometheus reads them."""
        [port] = re.findall(r'"metrics_port": (\d+)', self.said())
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        """The sum of one of its metrics over all labels."""
        lines = self.exposed().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(rf"{name}(_total)?({{|\s)", line))

    def end(self) -> None:
        """SIGTERM, then SIGKILL to whatever is left of its group."""
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


@contextmanager
def running(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    await_ready: bool = True,
    seconds: float = READY_SECONDS,
) -> Iterator[Running]:
    """Run `python <arguments>` with `environment` on top of this process's, from ready until the block ends.

    What it wrote is noted on whatever makes the block fail. Raises NotReady.
    """
    with tempfile.TemporaryDirectory() as directory, _ready_pipe() as (reading, writing):
        log = Path(directory) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env={**os.environ, **environment, **({READY_FD: str(writing)} if await_ready else {})},
                pass_fds=[writing] if await_ready else [],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = Running(process=process, log=log)
        try:
            if await_ready:
                _await_ready(started, reading, seconds)
            yield started
        except BaseException as error:
            error.add_note(f"--- {' '.join(arguments)} (exit {process.poll()})\n{started.said()}")
            raise
        finally:
            started.end()


@contextmanager
def running_worker(bootstrap: str, prefix: str, instance: str = "worker-1", **settings: str) -> Iterator[Running]:
    """A worker in sandbox mode that has its partitions; `settings` are further HOLDFAST_* variables, in lower case."""
    environment = {"HOLDFAST_INSTANCE": instance} | environment_of(bootstrap, prefix, **settings)
    with running(WORKER, environment) as worker:
        yield worker


def environment_of(bootstrap: str, prefix: str, **settings: str) -> dict[str, str]:
    """The variables that bring any process of the product to a test's topics: `topics_partitions="2"` and so on."""
    return {
        "HOLDFAST_BROKER": bootstrap,
        "HOLDFAST_TOPICS_PREFIX": prefix,
        "HOLDFAST_SANDBOX": "true",
    } | {f"HOLDFAST_{name}".upper(): value for name, value in settings.items()}


@contextmanager
def _ready_pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


def _await_ready(started: Running, reading: int, seconds: float) -> None:
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        if select.select([reading], [], [], 0.1)[0]:
            return
        if not started.alive():
            raise NotReady(f"it ended with {started.process.returncode}")
    raise NotReady(f"not within {seconds:.0f} s")
